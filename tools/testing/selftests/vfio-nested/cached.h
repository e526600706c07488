/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of invalidation share. That a cached translation stays is certain on an
 * emulated IOMMU only. On others it is told and not tested, and what is forgotten too much
 * is not either.
 */
#ifndef VN_CACHED_H
#define VN_CACHED_H

#include "test.h"

static inline bool certain(const struct vn_device *device)
{
	return device->engine.caps & VN_ENGINE_EMULATED;
}

/* A write to @iova still goes where the tables led it before. */
#define EXPECT_STALE(device, iova, old, new) do {			\
	if (certain(device)) {						\
		EXPECT_LANDS(device, iova, old);			\
		EXPECT_TRUE(vn_intact((device)->vm, new));		\
	} else {							\
		vn_dma_write(device, iova);				\
		TH_LOG("without an invalidation: the %s page",		\
		       vn_landed(device, old) ? "old" : "new");		\
		vn_poison((device)->vm, old);				\
		vn_poison((device)->vm, new);				\
	}								\
} while (0)

/* A device whose first access has brought the translation of IOVA(0) into the cache */
static inline void start_translating(struct __test_metadata *_metadata,
				     struct vn_guest *guest, struct vn_device *device,
				     uint64_t *old, uint64_t *new)
{
	start_guest(_metadata, guest, device, 0);
	*old = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	*new = vn_guest_page(guest);
	ASSERT_NE(0, *new);
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_LANDS(device, IOVA(0), *old);
}

static inline void remap(struct __test_metadata *_metadata, struct vn_guest *guest,
			 uint64_t iova, uint64_t ipa)
{
	ASSERT_OK(vn_s1_map_at(&guest->s1, iova, ipa, VN_PROT_RW, VN_S1_LAST_LEVEL));
}

#endif /* VN_CACHED_H */
