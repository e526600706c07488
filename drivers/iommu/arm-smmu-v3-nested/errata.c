// SPDX-License-Identifier: GPL-2.0
/*
 * What implementations cannot do although their ID registers say so, by SMMU_IIDR.
 * What firmware says of an implementation (device tree properties, the model in
 * IORT) is in probe.c.
 */
#include "smmuv3.h"

#define IMPLEMENTER_ARM		0x43b
#define PRODUCT_MMU_600		0x483
#define PRODUCT_MMU_700		0x487

/**
 * struct smmu_erratum - one row: which implementations, and what follows
 * @product: SMMU_IIDR.ProductID of Arm's
 * @before: first SMMU_IIDR.Variant << 4 | Revision that is not affected
 * @clear: SMMU_FEAT_* that is not usable
 * @set: SMMU_OPT_* that is needed
 * @text: for the log: the erratum
 */
struct smmu_erratum {
	u16 product;
	u16 before;
	u32 clear;
	u32 set;
	const char *text;
};

/*
 * Broadcast TLB maintenance, which several implementations get wrong (MMU-700,
 * MMU-L1 and MMU-S3 among them), has no row: CR2.PTM keeps it off on all of them.
 */
static const struct smmu_erratum smmu_errata[] = {
	{ PRODUCT_MMU_600, 0x03, SMMU_FEAT_SEV, 0, "1076982" },
	{ PRODUCT_MMU_600, 0x20, SMMU_FEAT_NESTING, 0, "1209401" },
	{ PRODUCT_MMU_700, 0x11, SMMU_FEAT_NESTING, SMMU_OPT_FORCE_SYNC,
	  "2268618, 2812531" },
};

/**
 * smmu_errata_apply - take away what is broken
 * @smmu: its ID registers have been read
 */
void smmu_errata_apply(struct smmu_device *smmu)
{
	u32 level = FIELD_GET(IIDR_VARIANT, smmu->iidr) << 4 |
		    FIELD_GET(IIDR_REVISION, smmu->iidr);
	u32 i;

	if (FIELD_GET(IIDR_IMPLEMENTER, smmu->iidr) != IMPLEMENTER_ARM)
		return;
	for (i = 0; i < ARRAY_SIZE(smmu_errata); i++) {
		const struct smmu_erratum *e = &smmu_errata[i];

		if (FIELD_GET(IIDR_PRODUCTID, smmu->iidr) != e->product ||
		    level >= e->before)
			continue;
		dev_info(smmu->dev, "working around erratum %s%s\n", e->text,
			 e->clear & SMMU_FEAT_NESTING ? ": no nesting" : "");
		smmu->features &= ~e->clear;
		smmu->options |= e->set;
	}
}
