// SPDX-License-Identifier: GPL-2.0
/*
 * Nested translation on VT-d: contexts and PASID tables as a guest writes them, its
 * invalidation descriptors, and what a hostile guest can do with both. Runs with type1
 * and with iommufd; what the kernel or the IOMMU lacks is skipped.
 */
#include "vtd-test.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV },
	/* Any other of the same machine, for which addresses have no limit */
	{ .caps = VN_ENGINE_COPY | VN_ENGINE_FAST },
};

/* --- Information and contexts --------------------------------------------------- */

TEST_F(vtd, the_registers_are_those_of_a_first_stage)
{
	struct vn_guest *guest = &self->guest;

	EXPECT_EQ(sizeof(guest->vtd), guest->info.data_len);
	EXPECT_EQ(16, guest->info.virtual_id_bits);
	EXPECT_TRUE(guest->vtd.cap & VN_CAP_CM);
	EXPECT_TRUE(guest->vtd.ecap & VN_ECAP_SMTS);
	/* Nested and second-stage translation are the host's. */
	EXPECT_FALSE(guest->vtd.ecap & VN_BIT(26));
	EXPECT_FALSE(guest->vtd.ecap & VN_BIT(46));
	EXPECT_TRUE(guest->info.caps & VFIO_NESTED_CAP_MEMORY);
	EXPECT_EQ(!!(guest->info.caps & VFIO_NESTED_CAP_PASID),
		  !!(guest->vtd.ecap & VN_ECAP_PASID));
	EXPECT_EQ(!!(guest->info.caps & VFIO_NESTED_CAP_PRI),
		  !!(guest->vtd.ecap & VN_ECAP_PRS));
	EXPECT_EQ(!!(guest->info.caps & VFIO_NESTED_CAP_ATS),
		  !!(guest->vtd.ecap & VN_ECAP_DT));
}

TEST_F(vtd, the_guests_table_translates)
{
	uint64_t a = new_page(_metadata, &self->guest);
	uint64_t b = new_page(_metadata, &self->guest);

	ASSERT_OK(vn_s1_map(&self->guest.s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&self->guest.s1, IOVA(1), b, VN_PAGE, VN_PROT_READ));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_ABORTS(VN_NO_PASID, IOVA(1));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(2));
	EXPECT_ABORTS(VN_NO_PASID, a);
	EXPECT_TRUE(word_is(&self->guest, b, poison_word));
}

TEST_F(vtd, contexts_follow_each_other)
{
	struct vn_guest *guest = &self->guest;
	const uint64_t absent[4] = {};
	uint64_t a = new_page(_metadata, guest);

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_OK(vn_nested_set_context(guest->fd, STREAM, VFIO_NESTED_CONTEXT_BYPASS));
	EXPECT_REACHES(VN_NO_PASID, a, a);
	EXPECT_OK(vn_nested_set_context(guest->fd, STREAM, VFIO_NESTED_CONTEXT_ABORT));
	EXPECT_ABORTS(VN_NO_PASID, a);
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	EXPECT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_ABORTS(VN_NO_PASID, a);
	EXPECT_OK(vn_vtd_set_context(guest, STREAM, absent));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	EXPECT_OK(vn_nested_set_context(guest->fd, STREAM, VFIO_NESTED_CONTEXT_CLEAR));
	EXPECT_REACHES(VN_NO_PASID, a, a);
}

TEST_F(vtd, unbinding_gives_the_device_back)
{
	struct vn_guest *guest = &self->guest;
	uint64_t a = new_page(_metadata, guest);

	EXPECT_ABORTS(VN_NO_PASID, a);
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_REACHES(VN_NO_PASID, a, a);
	EXPECT_EQ(-ENODEV, COMMAND(vn_qi_wait()));
	EXPECT_OK(vn_nested_bind(self->device->fd, guest->fd, STREAM));
	EXPECT_REACHES(VN_NO_PASID, a, a);
	/* Nothing is known of the memory any more. */
	EXPECT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_ABORTS(VN_NO_PASID, a);
	EXPECT_OK(name_ram(guest));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

TEST_F(vtd, bad_context_entries_are_refused)
{
	struct vn_guest *guest = &self->guest;
	uint64_t good = vn_vtd_context(guest);
	uint64_t a = new_page(_metadata, guest);
	unsigned int word, bit;

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	for (word = 0; word < 4; word++) {
		for (bit = word ? 0 : 5; bit < 64; bit++) {
			uint64_t entry[4] = { good };

			/* PDTS and the pointer are values, not flags. */
			if (!word && bit >= 9 && bit < 48)
				continue;
			entry[word] |= VN_BIT(bit);
			if (entry[word] == good)
				continue;
			EXPECT_EQ(-EINVAL, vn_vtd_set_context(guest, STREAM, entry))
				TH_LOG("word %u bit %u", word, bit);
		}
	}
	EXPECT_EQ(-EOPNOTSUPP,
		  vn_nested_set_ste(guest->fd, STREAM, (uint64_t[2]){ 1, 0 }));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

static int generic(struct vn_guest *guest,
		   const struct vfio_nested_command_generic *command)
{
	uint32_t num = 1;

	return vn_nested_commands(guest->fd, VFIO_NESTED_COMMAND_GENERIC, command,
				  sizeof(*command), &num);
}

static int set_table(struct vn_guest *guest,
		     const struct vfio_nested_context_table *table)
{
	return vn_nested_set_data(guest->fd, STREAM, VFIO_NESTED_CONTEXT_TABLE,
				  table, sizeof(*table));
}

TEST_F(vtd, a_generic_table_translates)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_context_table table = {
		.format = VFIO_NESTED_TABLE_X86_64,
		.address_width = 48,
		.table = guest->s1.table,
	};
	struct vfio_nested_command_generic command = {
		.op = VFIO_NESTED_GENERIC_RANGE,
		.virtual_id = STREAM,
		.address = IOVA(0),
		.length = VN_PAGE,
	};
	uint64_t a = new_page(_metadata, guest);
	uint64_t b = new_page(_metadata, guest);

	/* Only for a context of that kind */
	EXPECT_EQ(-EINVAL, generic(guest, &command));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(set_table(guest, &table));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), b, VN_PAGE, VN_PROT_RW));
	EXPECT_OK(generic(guest, &command));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), b);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	command = (struct vfio_nested_command_generic){
		.op = VFIO_NESTED_GENERIC_ALL, .virtual_id = STREAM,
	};
	EXPECT_OK(generic(guest, &command));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);

	command.virtual_id = OTHER_STREAM;
	EXPECT_EQ(-ENOENT, generic(guest, &command));
	command.virtual_id = STREAM;
	command.length = VN_PAGE;
	EXPECT_EQ(-EINVAL, generic(guest, &command));
	command.length = 0;
	command.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, generic(guest, &command));
	command.flags = 0;
	command.op = 3;
	EXPECT_EQ(-EOPNOTSUPP, generic(guest, &command));
	table.address_width = 39;
	EXPECT_EQ(-EINVAL, set_table(guest, &table));
	table.address_width = 48;
	table.table |= 0x800;
	EXPECT_EQ(-EINVAL, set_table(guest, &table));
	table.format = 2;
	EXPECT_EQ(-EOPNOTSUPP,
		  set_table(guest, &table));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

TEST_F(vtd, a_reset_keeps_the_context)
{
	struct vn_guest *guest = &self->guest;
	uint64_t a = new_page(_metadata, guest), b = new_page(_metadata, guest);
	struct vn_stage1 fs;

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	if (has_pasids(self)) {
		ASSERT_OK(vn_device_enable_pasid(self->device));
		add_pasid(_metadata, guest, THE_PASID, DID, &fs);
		ASSERT_OK(vn_s1_map(&fs, IOVA(0), b, VN_PAGE, VN_PROT_RW));
		EXPECT_REACHES(VN_PASID(THE_PASID), IOVA(0), b);
	}
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_ABORTS(VN_NO_PASID, a);
	if (has_pasids(self)) {
		ASSERT_OK(vn_device_enable_pasid(self->device));
		EXPECT_REACHES(VN_PASID(THE_PASID), IOVA(0), b);
	}
}

/* Somebody resets the device while the guest uses all of its interface. */
static void *reset_often(void *data)
{
	struct vn_device *device = data;
	unsigned int i;

	for (i = 0; i < 5; i++)
		vn_device_reset(device, VN_RESET_VFIO);
	return NULL;
}

TEST_F(vtd, a_reset_in_the_middle)
{
	struct vn_guest *guest = &self->guest;
	uint64_t a = new_page(_metadata, guest);
	pthread_t thread;
	int ret;

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_EQ(0, pthread_create(&thread, NULL, reset_often, self->device));
	while (pthread_tryjoin_np(thread, NULL)) {
		EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
		EXPECT_OK(COMMAND(vn_qi_piotlb_all(DID, 0)));
		EXPECT_OK(vn_vtd_translate(guest, STREAM));
		/* Neither is possible as long as the reset is under way. */
		do
			ret = vn_nested_unbind(self->device->fd);
		while (ret == -EBUSY);
		EXPECT_OK(ret);
		do
			ret = vn_nested_bind(self->device->fd, guest->fd, STREAM);
		while (ret == -EBUSY);
		ASSERT_OK(ret);
		ASSERT_OK(name_ram(guest));
		EXPECT_OK(vn_vtd_translate(guest, STREAM));
	}
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_ABORTS(VN_NO_PASID, a);
}

TEST_F(vtd, a_stopped_device_does_nothing)
{
	struct vn_guest *guest = &self->guest;
	uint64_t a = new_page(_metadata, guest);

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_nested_set_run(guest->fd, STREAM, VFIO_NESTED_STOP));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	/* What the guest does meanwhile is followed. */
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	ASSERT_OK(vn_nested_set_run(guest->fd, STREAM, VFIO_NESTED_RUN));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

/* --- PASIDs -------------------------------------------------------------------- */

TEST_F(vtd, pasids_have_tables_of_their_own)
{
	struct vn_guest *guest = &self->guest;
	uint64_t page[3];
	struct vn_stage1 fs[2];
	unsigned int i;

	NEED_PASIDS();
	for (i = 0; i < 3; i++)
		page[i] = new_page(_metadata, guest);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), page[0], VN_PAGE, VN_PROT_RW));
	for (i = 0; i < 2; i++) {
		add_pasid(_metadata, guest, THE_PASID + 100 * i, DID + i, &fs[i]);
		ASSERT_OK(vn_s1_map(&fs[i], IOVA(0), page[i + 1], VN_PAGE, VN_PROT_RW));
	}
	EXPECT_REACHES(VN_PASID(THE_PASID), IOVA(0), page[1]);
	EXPECT_REACHES(VN_PASID(THE_PASID + 100), IOVA(0), page[2]);
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), page[0]);
	EXPECT_ABORTS(VN_PASID(THE_PASID + 1), IOVA(0));

	/* One goes, the others stay. */
	ASSERT_OK(vn_vtd_set_entry(guest, THE_PASID, NULL));
	EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
	EXPECT_ABORTS(VN_PASID(THE_PASID), IOVA(0));
	EXPECT_REACHES(VN_PASID(THE_PASID + 100), IOVA(0), page[2]);
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), page[0]);
}

TEST_F(vtd, a_context_brings_its_pasids)
{
	struct vn_guest *guest = &self->guest;
	uint64_t words[VN_VTD_ENTRY_WORDS];
	uint64_t a = new_page(_metadata, guest);
	struct vn_stage1 fs;

	NEED_PASIDS();
	ASSERT_OK(vn_s1_init(&fs, guest->vm, &vn_s1_x86, 12, VA_BITS));
	ASSERT_OK(vn_s1_map(&fs, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	vn_pte_first(words, fs.table, DID);
	/* The last one of the directory */
	ASSERT_OK(vn_vtd_set_entry(guest, 8191, words));
	EXPECT_ABORTS(VN_PASID(8191), IOVA(0));
	ASSERT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_REACHES(VN_PASID(8191), IOVA(0), a);
	/* Without PASIDE there are none. */
	ASSERT_OK(vn_vtd_set_context(guest, STREAM,
				     (uint64_t[4]){ vn_vtd_context(guest) &
						    ~VN_CTX_PASIDE }));
	EXPECT_ABORTS(VN_PASID(8191), IOVA(0));
}

TEST_F(vtd, passthrough_is_stage_2)
{
	struct vn_guest *guest = &self->guest;
	uint64_t words[VN_VTD_ENTRY_WORDS];
	uint64_t a = new_page(_metadata, guest);

	vn_pte_passthrough(words, DID);
	if (has_pasids(self)) {
		ASSERT_OK(vn_device_enable_pasid(self->device));
		ASSERT_OK(vn_vtd_set_entry(guest, THE_PASID, words));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
		EXPECT_REACHES(VN_PASID(THE_PASID), a, a);
		EXPECT_ABORTS(VN_NO_PASID, a);
	}
	ASSERT_OK(vn_vtd_set_entry(guest, 0, words));
	EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, 0)));
	EXPECT_REACHES(VN_NO_PASID, a, a);
	vn_pte_first(words, guest->s1.table, DID);
	ASSERT_OK(vn_vtd_set_entry(guest, 0, words));
	EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, 0)));
	EXPECT_ABORTS(VN_NO_PASID, a);
}

/* What an entry of the guest's says; TABLE is that of one of two tables. */
enum kind {
	NONE,
	ILLEGAL,
	PASSTHROUGH,
	TABLE,
	KINDS = TABLE + 2,
};

static void make_entry(uint64_t words[VN_VTD_ENTRY_WORDS], unsigned int kind,
		       const struct vn_stage1 fs[2], uint16_t did)
{
	if (kind == PASSTHROUGH)
		vn_pte_passthrough(words, did);
	else
		vn_pte_first(words, fs[kind == TABLE + 1].table, did);
	if (kind == ILLEGAL)
		words[2] |= VN_BIT(1);
	if (kind == NONE)
		memset(words, 0, VN_VTD_ENTRY_WORDS * sizeof(*words));
}

static int set_kind(struct vn_guest *guest, uint32_t pasid, unsigned int kind,
		    const struct vn_stage1 fs[2], uint16_t did)
{
	uint64_t words[VN_VTD_ENTRY_WORDS];

	make_entry(words, kind, fs, did);
	return vn_vtd_set_entry(guest, pasid, words);
}

/* Entries change in any order; what is in force is what was there when told. */
TEST_F(vtd, shadows_follow_random_edits)
{
	enum { PASIDS = 24, STEPS = 200, FIRST = 60 };
	const char *text = getenv("VFIO_NESTED_SEED");
	unsigned int seed = text ? strtoul(text, NULL, 0) : vn_now_ms();
	struct vn_guest *guest = &self->guest;
	uint64_t page[2], a = new_page(_metadata, guest);
	unsigned int now[PASIDS] = {}, told[PASIDS] = {};
	unsigned int step, pasid, i;
	struct vn_stage1 fs[2];

	NEED_PASIDS();
	ksft_print_msg("VFIO_NESTED_SEED=%u\n", seed);
	srand(seed);
	for (i = 0; i < 2; i++) {
		page[i] = new_page(_metadata, guest);
		ASSERT_OK(vn_s1_init(&fs[i], guest->vm, &vn_s1_x86, 12, VA_BITS));
		ASSERT_OK(vn_s1_map(&fs[i], IOVA(0), page[i], VN_PAGE, VN_PROT_RW));
	}
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));

	for (step = 0; step < STEPS; step++) {
		i = rand() % PASIDS;
		pasid = FIRST + i;
		switch (rand() % 16) {
		case 0 ... 7:
			now[i] = rand() % KINDS;
			ASSERT_OK(set_kind(guest, pasid, now[i], fs, DID + i));
			break;
		case 8:
			ASSERT_OK(COMMAND(vn_qi_pasid_cache_all()));
			memcpy(told, now, sizeof(told));
			break;
		case 9:
			/* All are read again for one domain's. */
			ASSERT_OK(COMMAND(vn_qi(0x7 | vn_field(DID + i, 16, 16), 0)));
			memcpy(told, now, sizeof(told));
			break;
		case 10:
			ASSERT_OK(vn_vtd_translate(guest, STREAM));
			memcpy(told, now, sizeof(told));
			break;
		default:
			ASSERT_OK(COMMAND(vn_qi_pasid_cache(DID + i, pasid)));
			told[i] = now[i];
			break;
		}
		i = rand() % PASIDS;
		pasid = FIRST + i;
		if (told[i] >= TABLE)
			EXPECT_REACHES(VN_PASID(pasid), IOVA(0), page[told[i] - TABLE]);
		else
			EXPECT_ABORTS(VN_PASID(pasid), IOVA(0));
		if (told[i] == PASSTHROUGH)
			EXPECT_REACHES(VN_PASID(pasid), page[0], page[0]);
		else
			EXPECT_ABORTS(VN_PASID(pasid), page[0]);
		if (step % 10)
			continue;
		EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	}
}

TEST_F(vtd, illegal_entries_are_refused)
{
	struct vn_guest *guest = &self->guest;
	uint64_t words[VN_VTD_ENTRY_WORDS];
	uint64_t a = new_page(_metadata, guest);
	static const struct {
		unsigned int word;
		uint64_t bits;
	} bad[] = {
		/* Reserved */
		{ 0, VN_BIT(5) }, { 0, VN_BIT(10) }, { 0, VN_BIT(11) },
		{ 1, VN_BIT(16) }, { 1, VN_BIT(25) }, { 1, VN_BIT(40) },
		{ 2, VN_BIT(1) }, { 2, VN_BIT(5) }, { 2, VN_BIT(8) },
		{ 3, VN_BIT(0) }, { 3, VN_BIT(63) },
		/* No such type, nested, no such number of levels */
		{ 0, VN_PTE_PGTT(6) }, { 0, VN_PTE_PGTT(2) },
		{ 2, vn_field(2, 2, 2) }, { 2, vn_field(3, 2, 2) },
		/* Outside of all memory */
		{ 2, VN_BIT(62) },
	};
	unsigned int i;

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	for (i = 0; i < VN_ARRAY_SIZE(bad); i++) {
		vn_pte_first(words, guest->s1.table, DID);
		words[bad[i].word] |= bad[i].bits;
		ASSERT_OK(vn_vtd_set_entry(guest, 0, words));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, 0)));
		EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
		vn_pte_first(words, guest->s1.table, DID);
		ASSERT_OK(vn_vtd_set_entry(guest, 0, words));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, 0)));
		EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	}
}

/* All of the directory refers to one table, to itself, or to nothing. */
TEST_F(vtd, hostile_directories)
{
	enum { TABLES = 1024 / VN_VTD_PASIDS_PER_TABLE };
	struct vn_guest *guest = &self->guest;
	uint64_t *directory = vn_vm_va(guest->vm, guest->cd);
	uint64_t words[VN_VTD_ENTRY_WORDS];
	uint64_t a = new_page(_metadata, guest);
	uint64_t table = directory[0];
	unsigned int i;

	NEED_PASIDS();
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	/* A loop: a directory is a bad table. */
	for (i = 1; i < 128; i++)
		directory[i] = htole64(guest->cd | 1);
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	/* Nowhere, and with reserved bits */
	for (i = 1; i < 128; i++)
		directory[i] = htole64(i % 2 ? 0x123456789000ULL | 1 : table | 0x801);
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	EXPECT_ABORTS(VN_PASID(64), IOVA(0));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	/* One table for many */
	vn_pte_first(words, guest->s1.table, DID);
	for (i = 0; i < VN_VTD_PASIDS_PER_TABLE; i += 8)
		ASSERT_OK(vn_vtd_set_entry(guest, i, words));
	for (i = 1; i < 128; i++)
		directory[i] = i < 4 ? table : 0;
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	EXPECT_REACHES(VN_PASID(64), IOVA(0), a);
	EXPECT_REACHES(VN_PASID(3 * 64 + 56), IOVA(0), a);
	EXPECT_ABORTS(VN_PASID(4 * 64), IOVA(0));

	/* As many as there may be; to attach them would take long here. */
	ASSERT_OK(vn_nested_set_run(guest->fd, STREAM, VFIO_NESTED_STOP));
	for (i = 0; i < VN_VTD_PASIDS_PER_TABLE; i++)
		ASSERT_OK(vn_vtd_set_entry(guest, i, words));
	for (i = 1; i < 128; i++)
		directory[i] = i < TABLES ? table : 0;
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	/* The old ones go before the new ones come. */
	for (i = 1; i < 128; i++)
		directory[i] = i > TABLES && i < 2 * TABLES ? table : 0;
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	/* One more, all, and a context with all */
	directory[1] = table;
	EXPECT_EQ(-ENOSPC, COMMAND(vn_qi_pasid_cache_all()));
	for (i = 1; i < 128; i++)
		directory[i] = table;
	EXPECT_EQ(-ENOSPC, COMMAND(vn_qi_pasid_cache_all()));
	EXPECT_EQ(-ENOSPC, vn_vtd_translate(guest, STREAM));
	/* And away with them */
	for (i = 1; i < 128; i++)
		directory[i] = 0;
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	for (i = 1; i < VN_VTD_PASIDS_PER_TABLE; i++)
		ASSERT_OK(vn_vtd_set_entry(guest, i, NULL));
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	ASSERT_OK(vn_nested_set_run(guest->fd, STREAM, VFIO_NESTED_RUN));
	EXPECT_ABORTS(VN_PASID(64), IOVA(0));
	EXPECT_ABORTS(VN_PASID(1), IOVA(0));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

/* The largest directory there is, most of which is behind the end of guest memory */
TEST_F(vtd, a_directory_beyond_the_memory)
{
	struct vn_guest *guest = &self->guest;
	struct vn_vm *vm = guest->vm;
	uint64_t last = VN_RAM_IPA + vm->ram_size - VN_PAGE;
	uint64_t *directory = vn_vm_va(vm, last);
	uint64_t a = new_page(_metadata, guest);

	NEED_PASIDS();
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	memset(directory, 0, VN_PAGE);
	directory[0] = *(uint64_t *)vn_vm_va(vm, guest->cd);
	guest->cd = last;
	guest->pdts = 7;
	EXPECT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	/* Its entry would be in the page behind the end. */
	EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, 0x9000)));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	/* All of it is outside. */
	guest->cd = last + VN_PAGE;
	EXPECT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
}

/* PASIDs whose entries change; each costs some attachments a round. */
#define SCRIBBLED	6

/* Writes entries word by word, in any order, and remembers what they say in the end. */
struct scribbler {
	struct vn_guest *guest;
	const struct vn_stage1 *fs;
	unsigned int kind[SCRIBBLED + 1];
	bool stop;
};

static void *scribble(void *data)
{
	struct scribbler *job = data;
	uint64_t *table = vn_vtd_entry(job->guest, 0);
	unsigned int pasid, word, i, seed = 1;
	uint64_t words[VN_VTD_ENTRY_WORDS];

	while (!vn_read_once(&job->stop)) {
		pasid = 1 + rand_r(&seed) % SCRIBBLED;
		job->kind[pasid] = rand_r(&seed) % KINDS;
		make_entry(words, job->kind[pasid], job->fs, DID + pasid);
		word = rand_r(&seed);
		for (i = 0; i < VN_VTD_ENTRY_WORDS; i++, word++)
			vn_write_once(&table[pasid * VN_VTD_ENTRY_WORDS +
					     word % VN_VTD_ENTRY_WORDS],
				      htole64(words[word % VN_VTD_ENTRY_WORDS]));
	}
	return NULL;
}

TEST_F(vtd, tables_that_change_while_they_are_read)
{
	struct vn_guest *guest = &self->guest;
	struct scribbler job = { .guest = guest };
	uint64_t page[2], a = new_page(_metadata, guest);
	struct vn_channel_status status;
	unsigned int i, pasid;
	struct vn_stage1 fs[2];
	pthread_t thread;

	NEED_PASIDS();
	for (i = 0; i < 2; i++) {
		page[i] = new_page(_metadata, guest);
		ASSERT_OK(vn_s1_init(&fs[i], guest->vm, &vn_s1_x86, 12, VA_BITS));
		ASSERT_OK(vn_s1_map(&fs[i], IOVA(0), page[i], VN_PAGE, VN_PROT_RW));
	}
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	job.fs = fs;
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &job));
	for (i = 1; i <= 24; i++) {
		EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
		pasid = 1 + i % SCRIBBLED;
		status = write_word(_metadata, self->device, VN_PASID(pasid),
				    IOVA(0), i);
		if (status.state == VN_CHANNEL_OK)
			EXPECT_TRUE(word_is(guest, page[0], i) ||
				    word_is(guest, page[1], i));
		EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	}
	vn_write_once(&job.stop, true);
	pthread_join(thread, NULL);

	EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
	for (pasid = 1; pasid <= SCRIBBLED; pasid++) {
		if (job.kind[pasid] >= TABLE)
			EXPECT_REACHES(VN_PASID(pasid), IOVA(0),
				       page[job.kind[pasid] - TABLE]);
		else
			EXPECT_ABORTS(VN_PASID(pasid), IOVA(0));
	}
}

/* --- Invalidation --------------------------------------------------------------- */

TEST_F(vtd, invalidations_reach_the_hardware)
{
	struct vn_guest *guest = &self->guest;
	uint64_t page[2] = { new_page(_metadata, guest), new_page(_metadata, guest) };
	struct vfio_nested_stats before, after;
	const struct vfio_nested_command_vtd commands[] = {
		vn_qi_piotlb(DID, 0, IOVA(0), 0),
		vn_qi_piotlb(DID, 0, IOVA(0), 4),
		vn_qi_piotlb_all(DID, 0),
		vn_qi_iotlb_domain(DID),
		vn_qi_iotlb_global(),
		/* Page-selective by domain: all of the domain is invalidated. */
		vn_qi(0x2 | vn_field(3, 4, 2) | vn_field(DID, 16, 16), IOVA(0)),
	};
	unsigned int i;

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), page[1], VN_PAGE, VN_PROT_RW));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), page[1]);
	ASSERT_OK(vn_nested_stats(guest->fd, &before));
	for (i = 0; i < VN_ARRAY_SIZE(commands); i++) {
		ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), page[i % 2], VN_PAGE, VN_PROT_RW));
		EXPECT_EQ(0, COMMAND(commands[i])) TH_LOG("command %u", i);
		EXPECT_REACHES(VN_NO_PASID, IOVA(0), page[i % 2]);
	}
	ASSERT_OK(vn_nested_stats(guest->fd, &after));
	EXPECT_EQ(VN_ARRAY_SIZE(commands), after.commands - before.commands);
	/* Kernels that cannot nest PASIDs cannot invalidate all of one domain either. */
	EXPECT_EQ(has_pasids(self) ? 1 : 4,
		  after.commands_widened - before.commands_widened);
}

/* What is for others does not reach it: the emulated IOTLB keeps what it has. */
TEST_F(vtd, invalidations_for_others_do_nothing)
{
	struct vn_guest *guest = &self->guest;
	uint64_t a = new_page(_metadata, guest), b = new_page(_metadata, guest);

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), b, VN_PAGE, VN_PROT_RW));
	EXPECT_OK(COMMAND(vn_qi_piotlb_all(DID + 1, 0)));
	EXPECT_OK(COMMAND(vn_qi_piotlb_all(DID, 1)));
	EXPECT_OK(COMMAND(vn_qi_iotlb_domain(DID + 1)));
	EXPECT_OK(COMMAND(vn_qi_context()));
	EXPECT_OK(COMMAND(vn_qi_wait()));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_OK(COMMAND(vn_qi_piotlb_all(DID, 0)));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), b);
}

/* Many PASIDs have few domain ids, and come and go in no order. */
TEST_F(vtd, invalidations_find_what_they_are_for)
{
	enum { PASIDS = 20, DIDS = 4, FIRST = 40 };
	struct vn_guest *guest = &self->guest;
	uint64_t page[2] = { new_page(_metadata, guest), new_page(_metadata, guest) };
	uint64_t words[VN_VTD_ENTRY_WORDS];
	unsigned int i, n, did;
	struct vn_stage1 fs;

	NEED_PASIDS();
	ASSERT_OK(vn_device_enable_pasid(self->device));
	ASSERT_OK(vn_s1_init(&fs, guest->vm, &vn_s1_x86, 12, VA_BITS));
	for (i = 0; i < 2 * PASIDS; i++) {
		n = i * 7 % PASIDS;
		vn_pte_first(words, fs.table, DID + n % DIDS);
		if (i < PASIDS || n % 5 == 0)
			ASSERT_OK(vn_vtd_set_entry(guest, FIRST + n, i < PASIDS ? words : NULL));
		ASSERT_OK(COMMAND(vn_qi_pasid_cache(DID + n % DIDS, FIRST + n)));
	}
	for (did = 0; did < DIDS; did++) {
		ASSERT_OK(vn_s1_map(&fs, IOVA(0), page[0], VN_PAGE, VN_PROT_RW));
		EXPECT_OK(COMMAND(vn_qi_iotlb_global()));
		for (n = 0; n < PASIDS; n++)
			if (n % 5)
				EXPECT_REACHES(VN_PASID(FIRST + n), IOVA(0), page[0]);
		ASSERT_OK(vn_s1_map(&fs, IOVA(0), page[1], VN_PAGE, VN_PROT_RW));
		/* One PASID of one domain id, or all of that */
		EXPECT_OK(COMMAND(did % 2 ? vn_qi_piotlb_all(DID + did, FIRST + did) :
				  vn_qi_iotlb_domain(DID + did)));
		for (n = 0; n < PASIDS; n++)
			if (n % 5)
				EXPECT_REACHES(VN_PASID(FIRST + n), IOVA(0),
					       page[did % 2 ? n == did : n % DIDS == did]);
	}
}

TEST_F(vtd, bad_descriptors_are_refused)
{
	struct vn_guest *guest = &self->guest;
	static const struct {
		uint64_t qw0;
		uint64_t qw1;
		int error;
	} bad[] = {
		{ 0x0, 0, -EOPNOTSUPP },
		{ 0x4, 0, -EOPNOTSUPP },
		{ 0xa, 0, -EOPNOTSUPP },
		{ 0xf, 0, -EOPNOTSUPP },
		{ 0x207, 0, -EOPNOTSUPP },
		/* Granularities */
		{ 0x1, 0, -EINVAL },
		{ 0x2, 0, -EINVAL },
		{ 0x6, 0, -EINVAL },
		{ 0x6 | vn_field(1, 4, 2), 0, -EINVAL },
		{ 0x7 | vn_field(2, 4, 2), 0, -EINVAL },
		/* Completion signals */
		{ 0x5 | VN_BIT(4), 0, -EINVAL },
		{ 0x5 | VN_BIT(5), 0x1000, -EINVAL },
		/* Reserved bits */
		{ 0x1 | vn_field(1, 4, 2) | VN_BIT(6), 0, -EINVAL },
		{ 0x1 | vn_field(1, 4, 2) | VN_BIT(50), 0, -EINVAL },
		{ 0x1 | vn_field(1, 4, 2), 1, -EINVAL },
		{ 0x2 | vn_field(1, 4, 2) | VN_BIT(32), 0, -EINVAL },
		{ 0x2 | vn_field(3, 4, 2), VN_BIT(7), -EINVAL },
		{ 0x6 | vn_field(2, 4, 2) | VN_BIT(52), 0, -EINVAL },
		{ 0x7 | vn_field(3, 4, 2), VN_BIT(12), -EINVAL },
		{ 0x7 | vn_field(3, 4, 2) | VN_BIT(12), 0, -EINVAL },
		/* An address mask beyond MAMV */
		{ 0x6 | vn_field(3, 4, 2), 63, -EINVAL },
	};
	const struct vfio_nested_command_vtd three[] = {
		vn_qi_wait(), vn_qi(0x6, 0), vn_qi_wait(),
	};
	struct vfio_nested_command_vtd command;
	struct vfio_nested_stats before, after;
	uint32_t num = VN_ARRAY_SIZE(three);
	unsigned int i;

	ASSERT_OK(vn_nested_stats(guest->fd, &before));
	for (i = 0; i < VN_ARRAY_SIZE(bad); i++)
		EXPECT_EQ(bad[i].error, COMMAND(vn_qi(bad[i].qw0, bad[i].qw1)))
			TH_LOG("descriptor %u", i);
	command = vn_qi_wait();
	command.qw[2] = 1;
	EXPECT_EQ(-EINVAL, COMMAND(command));
	command = vn_qi_wait();
	command.qw[3] = VN_BIT(63);
	EXPECT_EQ(-EINVAL, COMMAND(command));
	/* Those before a bad one are carried out. */
	EXPECT_EQ(-EINVAL, vn_nested_commands(guest->fd, VFIO_NESTED_COMMAND_VTD,
					      three, sizeof(*three), &num));
	EXPECT_EQ(1, num);
	ASSERT_OK(vn_nested_stats(guest->fd, &after));
	EXPECT_EQ(VN_ARRAY_SIZE(bad) + 3,
		  after.commands_refused - before.commands_refused);
	EXPECT_EQ(1, after.commands - before.commands);
	EXPECT_OK(COMMAND(vn_qi_wait()));
}

/* Legal descriptors, and the bits that the specification defines for their types */
static const struct legal {
	const char *name;
	uint64_t qw0;
	uint64_t qw1;
	uint64_t defined[2];
	uint64_t needs;
	int result;
} legal[] = {
	{ "context", 0x1 | vn_field(1, 4, 2), 0,
	  { 0x3ffffffff003fULL, 0 } },
	{ "IOTLB", 0x2 | vn_field(1, 4, 2), 0,
	  { 0xffff00ffULL, 0xfffffffffffff07fULL } },
	{ "device TLB", 0x3 | vn_field(STREAM, 32, 16), 0,
	  { 0xfff0ffff001ff00fULL, 0xfffffffffffff001ULL },
	  VFIO_NESTED_CAP_ATS },
	{ "wait", 0x5, 0,
	  { 0xffffffff000000ffULL, 0xfffffffffffffffcULL } },
	{ "PASID IOTLB", 0x6 | vn_field(2, 4, 2), 0,
	  { 0xfffffffff003fULL, 0xfffffffffffff07fULL } },
	{ "PASID cache", 0x7 | vn_field(1, 4, 2), 0,
	  { 0xfffffffff003fULL, 0 } },
	{ "PASID device TLB", 0x8 | vn_field(STREAM, 16, 16), 0,
	  { 0xffffffffffff01ffULL | vn_field(0xf, 12, 4), 0xfffffffffffff801ULL },
	  VFIO_NESTED_CAP_ATS | VFIO_NESTED_CAP_PASID },
	/* Older revisions define bit 2 of the second word. */
	{ "page group response", 0x9 | vn_field(STREAM, 16, 16), 0,
	  { 0xffffffffff01fULL, 0xffcULL }, VFIO_NESTED_CAP_PRI, -ENOENT },
};

TEST_F(vtd, all_reserved_bits_are_refused)
{
	struct vfio_nested_command_vtd command;
	unsigned int i, word, bit;
	bool defined;

	for (i = 0; i < VN_ARRAY_SIZE(legal); i++) {
		const struct legal *row = &legal[i];

		if (~self->guest.info.caps & row->needs)
			continue;
		EXPECT_EQ(row->result, COMMAND(vn_qi(row->qw0, row->qw1)))
			TH_LOG("%s", row->name);
		for (word = 0; word < 4; word++) {
			for (bit = word ? 0 : 4; bit < 64; bit++) {
				/* Bits 9 to 11 belong to the type. */
				bool type = !word && bit >= 9 && bit <= 11;

				defined = word < 2 && row->defined[word] & VN_BIT(bit);
				if (defined)
					continue;
				command = vn_qi(row->qw0, row->qw1);
				command.qw[word] |= htole64(VN_BIT(bit));
				EXPECT_EQ(type ? -EOPNOTSUPP : -EINVAL, COMMAND(command))
					TH_LOG("%s: bit %u of word %u", row->name, bit, word);
			}
		}
	}
}

TEST_F(vtd, descriptors_of_128_bits)
{
	struct vn_guest *guest = &self->guest;
	const struct vfio_nested_command_vtd wide[] = {
		vn_qi_wait(), vn_qi_piotlb_all(DID, 0), vn_qi_iotlb_global(),
	};
	uint64_t narrow[200][2];
	struct vfio_nested_invalidate invalidate = {
		.size = sizeof(invalidate),
		.type = VFIO_NESTED_COMMAND_VTD,
		.entry_len = sizeof(narrow[0]),
		.entry_num = VN_ARRAY_SIZE(narrow),
		.entries_uptr = (uintptr_t)narrow,
	};
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(narrow); i++)
		memcpy(narrow[i], wide[i % 3].qw, sizeof(narrow[i]));
	EXPECT_OK(vn_ioctl(guest->fd, VFIO_NESTED_INVALIDATE, &invalidate));
	EXPECT_EQ(VN_ARRAY_SIZE(narrow), invalidate.entry_num);
	narrow[70][1] = ~0ULL;
	invalidate.entry_num = VN_ARRAY_SIZE(narrow);
	EXPECT_EQ(-EINVAL, vn_ioctl(guest->fd, VFIO_NESTED_INVALIDATE, &invalidate));
	EXPECT_EQ(70, invalidate.entry_num);
	invalidate.entry_len = 24;
	EXPECT_EQ(-EINVAL, vn_ioctl(guest->fd, VFIO_NESTED_INVALIDATE, &invalidate));
}

/* Writes through a translation that the device has, or asks for. */
static bool lands_by_ats(FIXTURE_DATA(vtd) *self, uint32_t pasid, uint64_t ipa)
{
	static uint32_t word = 0x7000;
	const struct vn_access access = {
		.op = VN_OP_WRITE, .iova = IOVA(0), .length = 4, .pasid = pasid,
		.flags = VN_ACCESS_ATS, .buffer = BUFFER,
	};
	struct vn_channel_status status;

	word++;
	vn_testdev_buffer_write(self->device, BUFFER, &word, sizeof(word));
	return !vn_testdev_run(self->device, 1, &access, &status) &&
	       status.state == VN_CHANNEL_OK && word_is(&self->guest, ipa, word);
}

TEST_F(vtd, device_tlbs_are_invalidated)
{
	struct vn_guest *guest = &self->guest;
	const uint32_t pasid = has_pasids(self) ? VN_PASID(THE_PASID) : VN_NO_PASID;
	const struct {
		struct vfio_nested_command_vtd command;
		uint32_t pasid;
	} steps[] = {
		{ vn_qi_devtlb(STREAM, IOVA(0)), VN_NO_PASID },
		/* S: two pages; everything */
		{ vn_qi_devtlb(STREAM, IOVA(0) | 1), VN_NO_PASID },
		{ vn_qi_devtlb(STREAM, 0x7ffffffffffff000ULL | 1), VN_NO_PASID },
		/* By PASID: a page, two pages, G: all PASIDs of the device */
		{ vn_qi(0x8 | vn_field(STREAM, 16, 16) | vn_field(THE_PASID, 32, 20),
			IOVA(0)), pasid },
		{ vn_qi(0x8 | vn_field(STREAM, 16, 16) | vn_field(THE_PASID, 32, 20),
			IOVA(0) | VN_BIT(11)), pasid },
		{ vn_qi(0x8 | vn_field(STREAM, 16, 16) | vn_field(THE_PASID, 32, 20),
			IOVA(0) | 1), pasid },
	};
	uint64_t page[2] = { new_page(_metadata, guest), new_page(_metadata, guest) };
	struct vfio_nested_stats before, after;
	unsigned int i, num = pasid ? 6 : 3;
	struct vn_stage1 fs, *table;

	if (!(guest->info.caps & VFIO_NESTED_CAP_ATS))
		SKIP(return, "no ATS");
	if (pasid) {
		ASSERT_OK(vn_device_enable_pasid(self->device));
		add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	}
	ASSERT_OK(vn_device_enable_ats(self->device, true));
	ASSERT_OK(vn_nested_stats(guest->fd, &before));
	for (i = 0; i < num; i++) {
		table = steps[i].pasid ? &fs : &guest->s1;
		ASSERT_OK(vn_s1_map(table, IOVA(0), page[0], VN_PAGE, VN_PROT_RW));
		EXPECT_OK(COMMAND(vn_qi_piotlb_all(DID, steps[i].pasid & 0xfffff)));
		EXPECT_TRUE(lands_by_ats(self, steps[i].pasid, page[0]))
			TH_LOG("step %u", i);
		EXPECT_NE(0, vn_testdev_count(self->device, VN_COUNT_ATC_ENTRIES));
		ASSERT_OK(vn_s1_map(table, IOVA(0), page[1], VN_PAGE, VN_PROT_RW));
		EXPECT_TRUE(lands_by_ats(self, steps[i].pasid, page[0]))
			TH_LOG("step %u", i);
		EXPECT_OK(COMMAND(steps[i].command));
		EXPECT_TRUE(lands_by_ats(self, steps[i].pasid, page[1]))
			TH_LOG("step %u", i);
	}
	ASSERT_OK(vn_nested_stats(guest->fd, &after));
	/* The in-tree driver invalidates the IOTLB as well. */
	EXPECT_EQ(num, after.commands_widened - before.commands_widened);
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_devtlb(OTHER_STREAM, IOVA(0))));
}

/* --- More than one device ----------------------------------------------------------- */

TEST_F(vtd, devices_share_a_virtual_iommu)
{
	struct vn_guest *guest = &self->guest;
	uint64_t a = new_page(_metadata, guest);
	struct vn_device *other = NEED_DEVICE(1);

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	EXPECT_EQ(-EEXIST, vn_guest_bind(guest, other, STREAM));
	ASSERT_OK(vn_guest_bind(guest, other, OTHER_STREAM));
	ASSERT_OK(vn_vtd_translate(guest, OTHER_STREAM));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	/* The first one goes, and with it nothing of the other's. */
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_NE(VN_DMA_BROKEN, vn_dma_write(other, IOVA(0)));
	EXPECT_TRUE(other->ops->wrote(other, vn_vm_va(guest->vm, a)));
	memset(vn_vm_va(guest->vm, a), POISON, VN_PAGE);
	EXPECT_NE(VN_DMA_OK, vn_dma_write(other, a));
	EXPECT_TRUE(word_is(guest, a, poison_word));
	EXPECT_REACHES(VN_NO_PASID, a, a);
	ASSERT_OK(vn_nested_unbind(other->fd));
}

/* What the first device lacks is not lost to the others. */
TEST_F(vtd, each_device_has_its_own_limits)
{
	struct vn_guest *guest = &self->guest;
	uint64_t a = new_page(_metadata, guest);
	struct vn_device *other = NEED_DEVICE(1);
	struct vn_stage1 fs;

	NEED_PASIDS();
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_guest_bind(guest, other, OTHER_STREAM));
	/* Without PASIDs its context may not have them. */
	if (!(guest->info.caps & VFIO_NESTED_CAP_PASID))
		EXPECT_EQ(-EINVAL,
			  vn_vtd_set_context(guest, OTHER_STREAM, (uint64_t[4]){
				guest->cd | VN_CTX_P | VN_CTX_PASIDE }));
	ASSERT_OK(vn_guest_bind(guest, self->device, STREAM));
	ASSERT_OK(vn_vtd_translate(guest, STREAM));
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	ASSERT_OK(vn_s1_map(&fs, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	EXPECT_REACHES(VN_PASID(THE_PASID), IOVA(0), a);
	ASSERT_OK(vn_nested_unbind(other->fd));
}

TEST_MAIN_WITH_DEVICES(wants)
