// SPDX-License-Identifier: GPL-2.0
/*
 * nested-testdev: the PCI Express function; see nested-testdev.h for what it
 * does and how it is driven.
 *
 * Invariants:
 *  - After a reset nothing is under way, and nobody waits for the function.
 *  - The capabilities decide what goes out; software's registers only ask.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"
#include "nested-testdev-internal.h"

#define ATS_CAP             0x100
#define PASID_CAP           0x110
#define PRI_CAP             0x120
#define ACS_CAP             0x130
#define PASID_BITS          20

/* --- Capabilities --------------------------------------------------------- */

bool ntd_ats_enabled(NestedTestdev *d)
{
    return d->has_ats &&
           (pci_get_word(d->pdev.config + ATS_CAP + PCI_ATS_CTRL) & PCI_ATS_CTRL_ENABLE);
}

/* After a Response Failure there are no more requests until software clears it. */
bool ntd_pri_enabled(NestedTestdev *d)
{
    const uint8_t *cap = d->pdev.config + PRI_CAP;

    return d->has_pri && (pci_get_word(cap + PCI_PRI_CTRL) & PCI_PRI_CTRL_ENABLE) &&
           !(pci_get_word(cap + PCI_PRI_STATUS) & PCI_PRI_STATUS_RF);
}

uint32_t ntd_pri_allocation(NestedTestdev *d)
{
    return MIN(pci_get_long(d->pdev.config + PRI_CAP + PCI_PRI_ALLOC_REQ), NTD_PRI_CAPACITY);
}

/* "Stopped" is what is neither enabled nor waiting for responses. */
void ntd_pri_status(NestedTestdev *d, uint16_t set)
{
    uint8_t *cap = d->pdev.config + PRI_CAP;
    uint16_t status;

    if (!d->has_pri) {
        return;
    }
    status = (pci_get_word(cap + PCI_PRI_STATUS) | set) & ~PCI_PRI_STATUS_STOPPED;
    if (!(pci_get_word(cap + PCI_PRI_CTRL) & PCI_PRI_CTRL_ENABLE) && !d->pages_outstanding) {
        status |= PCI_PRI_STATUS_STOPPED;
    }
    pci_set_word(cap + PCI_PRI_STATUS, status);
}

static void add_pasid(NestedTestdev *d)
{
    uint8_t *config = d->pdev.config + PASID_CAP, *mask = d->pdev.wmask + PASID_CAP;

    pcie_add_capability(&d->pdev, PCI_EXT_CAP_ID_PASID, 1, PASID_CAP, PCI_EXT_CAP_PASID_SIZEOF);
    pci_set_word(config + PCI_PASID_CAP,
                 PCI_PASID_CAP_EXEC | PCI_PASID_CAP_PRIV | PASID_BITS << 8);
    pci_set_word(mask + PCI_PASID_CTRL,
                 PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC | PCI_PASID_CTRL_PRIV);
    d->pasid_cap = PASID_CAP;
}

static void add_pri(NestedTestdev *d)
{
    uint8_t *config = d->pdev.config + PRI_CAP, *mask = d->pdev.wmask + PRI_CAP;

    pcie_add_capability(&d->pdev, PCI_EXT_CAP_ID_PRI, 1, PRI_CAP, PCI_EXT_CAP_PRI_SIZEOF);
    pci_set_word(config + PCI_PRI_STATUS, PCI_PRI_STATUS_PASID | PCI_PRI_STATUS_STOPPED);
    pci_set_long(config + PCI_PRI_MAX_REQ, NTD_PRI_CAPACITY);
    pci_set_word(mask + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE | PCI_PRI_CTRL_RESET);
    pci_set_word(d->pdev.w1cmask + PRI_CAP + PCI_PRI_STATUS,
                 PCI_PRI_STATUS_RF | PCI_PRI_STATUS_UPRGI);
    pci_set_long(mask + PCI_PRI_ALLOC_REQ, UINT32_MAX);
    d->pri_cap = PRI_CAP;
}

static void reset_capabilities(NestedTestdev *d)
{
    uint8_t *config = d->pdev.config;

    if (d->has_ats) {
        pci_set_word(config + ATS_CAP + PCI_ATS_CTRL, 0);
    }
    if (d->has_pasid) {
        pci_set_word(config + PASID_CAP + PCI_PASID_CTRL, 0);
    }
    if (d->has_pri) {
        pci_set_word(config + PRI_CAP + PCI_PRI_CTRL, 0);
        pci_set_word(config + PRI_CAP + PCI_PRI_STATUS, PCI_PRI_STATUS_PASID);
        pci_set_long(config + PRI_CAP + PCI_PRI_ALLOC_REQ, 0);
    }
    ntd_pri_status(d, 0);
}

/* What was enabled and is not any more leaves nothing behind. */
static void config_write(PCIDevice *pdev, uint32_t address, uint32_t value, int length)
{
    NestedTestdev *d = NESTED_TESTDEV(pdev);
    uint8_t *pri = pdev->config + PRI_CAP;

    pci_default_write_config(pdev, address, value, length);
    pcie_cap_flr_write_config(pdev, address, value, length);
    if (d->has_ats && !ntd_ats_enabled(d)) {
        ntd_atc_flush(d, false);
    }
    if (d->has_pasid &&
        !(pci_get_word(pdev->config + PASID_CAP + PCI_PASID_CTRL) & PCI_PASID_CTRL_ENABLE)) {
        ntd_atc_flush(d, true);
    }
    if (d->has_pri && (pci_get_word(pri + PCI_PRI_CTRL) & PCI_PRI_CTRL_RESET)) {
        pci_set_word(pri + PCI_PRI_CTRL, pci_get_word(pri + PCI_PRI_CTRL) & ~PCI_PRI_CTRL_RESET);
        ntd_forget_groups(d);
    }
    ntd_pri_status(d, 0);
}

/* --- Registers ------------------------------------------------------------ */

static uint32_t *setup_word(struct ChannelSetup *setup, hwaddr offset)
{
    switch (offset) {
    case NTD_CH_LENGTH:
        return &setup->length;
    case NTD_CH_PASID:
        return &setup->pasid;
    case NTD_CH_FLAGS:
        return &setup->flags;
    case NTD_CH_BUFFER:
        return &setup->buffer;
    case NTD_CH_OUTSTANDING:
        return &setup->outstanding;
    default:
        return NULL;
    }
}

static uint32_t half(uint64_t value, hwaddr offset)
{
    return offset & 4 ? value >> 32 : value;
}

static uint32_t read_channel(NestedTestdev *d, unsigned index, hwaddr offset)
{
    Channel *channel = &d->channels[index];
    uint32_t *word = setup_word(&channel->next, offset);

    if (word) {
        return *word;
    }
    switch (offset) {
    case NTD_CH_ADDR:
    case NTD_CH_ADDR + 4:
        return half(channel->next.address, offset);
    case NTD_CH_OPERAND:
    case NTD_CH_OPERAND + 4:
        return half(channel->next.operand, offset);
    case NTD_CH_STATUS:
        return ntd_status(d, index);
    case NTD_CH_COMPLETED:
        return channel->completed;
    case NTD_CH_ERRORS:
        return channel->errors;
    case NTD_CH_RESULT:
    case NTD_CH_RESULT + 4:
        return half(channel->result, offset);
    case NTD_CH_ERROR_ADDR:
    case NTD_CH_ERROR_ADDR + 4:
        return half(channel->error_address, offset);
    case NTD_CH_GROUP:
        return channel->group;
    default:
        return 0;
    }
}

static void write_channel(NestedTestdev *d, unsigned index, hwaddr offset, uint32_t value)
{
    struct ChannelSetup *setup = &d->channels[index].next;
    uint32_t *word = setup_word(setup, offset);

    if (word) {
        *word = value;
        return;
    }
    switch (offset) {
    case NTD_CH_ADDR:
    case NTD_CH_ADDR + 4:
        setup->address = deposit64(setup->address, offset & 4 ? 32 : 0, 32, value);
        break;
    case NTD_CH_OPERAND:
    case NTD_CH_OPERAND + 4:
        setup->operand = deposit64(setup->operand, offset & 4 ? 32 : 0, 32, value);
        break;
    case NTD_CH_CONTROL:
        if (value == NTD_CONTROL_START) {
            ntd_start(d, index);
        } else if (value == NTD_CONTROL_STOP) {
            ntd_stop(d, index);
        }
        break;
    }
}

static uint32_t read_function(NestedTestdev *d, hwaddr offset)
{
    switch (offset) {
    case NTD_ID:
        return NTD_MAGIC;
    case NTD_BAD:
        return d->bad;
    case NTD_LATENCY:
        return d->latency;
    case NTD_ATC_INVALIDATIONS:
        return d->invalidations;
    case NTD_PAGE_REQUESTS:
        return d->page_requests;
    case NTD_PAGE_RESPONSES:
        return d->page_responses;
    case NTD_BAD_RESPONSES:
        return d->bad_responses;
    case NTD_ATS_REQUESTS:
        return d->ats_requests;
    case NTD_STALLS:
        return d->stalls;
    case NTD_ATC_ENTRIES:
        return ntd_atc_entries(d);
    default:
        return 0;
    }
}

static void write_function(NestedTestdev *d, hwaddr offset, uint32_t value)
{
    switch (offset) {
    case NTD_BAD:
        d->bad = value;
        break;
    case NTD_LATENCY:
        d->latency = value;
        break;
    case NTD_ATC_FLUSH:
        if (value == 1) {
            ntd_atc_flush(d, false);
        }
        break;
    case NTD_STOP_MARKER:
        ntd_stop_marker(d, value >> 12);
        break;
    }
}

static bool is_channel(hwaddr offset)
{
    return offset >= NTD_CHANNEL(0) && offset < NTD_CHANNEL(NTD_CHANNELS);
}

static uint64_t bar_read(void *opaque, hwaddr offset, unsigned size)
{
    NestedTestdev *d = opaque;

    if (offset >= NTD_BUFFER) {
        return ldn_le_p(d->buffer + offset - NTD_BUFFER, size);
    }
    if (size != 4) {
        return 0;
    }
    if (is_channel(offset)) {
        return read_channel(d, (offset >> 8) & 0xf, offset & 0xff);
    }
    return read_function(d, offset);
}

static void bar_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    NestedTestdev *d = opaque;

    if (offset >= NTD_BUFFER) {
        stn_le_p(d->buffer + offset - NTD_BUFFER, size, value);
    } else if (size == 4 && is_channel(offset)) {
        write_channel(d, (offset >> 8) & 0xf, offset & 0xff, value);
    } else if (size == 4) {
        write_function(d, offset, value);
    }
}

/* Accesses of 64 bits come as two halves. */
static const MemoryRegionOps bar_ops = {
    .read = bar_read,
    .write = bar_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

/* --- The function --------------------------------------------------------- */

static const NestedDeviceOps device_ops = {
    .resume = ntd_resume,
    .invalidate = ntd_invalidate,
    .page_response = ntd_page_response,
};

static void stop_all(NestedTestdev *d)
{
    for (unsigned i = 0; i < NTD_CHANNELS; i++) {
        ntd_stop(d, i);
    }
    timer_del(&d->run);
    timer_del(&d->later);
}

static void reset(DeviceState *dev)
{
    NestedTestdev *d = NESTED_TESTDEV(dev);

    stop_all(d);
    ntd_forget_groups(d);
    ntd_atc_flush(d, false);
    reset_capabilities(d);
    memset(d->channels, 0, sizeof(d->channels));
    memset(d->buffer, 0, sizeof(d->buffer));
    d->bad = d->latency = d->invalidations = d->page_requests = d->page_responses = 0;
    d->bad_responses = d->ats_requests = d->stalls = 0;
}

static void realize(PCIDevice *pdev, Error **errp)
{
    NestedTestdev *d = NESTED_TESTDEV(pdev);

    if (d->has_pri && !d->has_ats) {
        error_setg(errp, "nested-testdev: pri needs ats");
        return;
    }
    if (!pci_bus_is_express(pci_get_bus(pdev))) {
        error_setg(errp, "nested-testdev: needs a PCI Express bus, such as pcie-root-port");
        return;
    }
    memory_region_init_io(&d->bar, OBJECT(d), &bar_ops, d, "nested-testdev", NTD_BAR0_SIZE);
    pci_register_bar(pdev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64,
                     &d->bar);
    if (pcie_endpoint_cap_init(pdev, 0x80) < 0 ||
        msix_init_exclusive_bar(pdev, NTD_CHANNELS, 2, errp) < 0) {
        return;
    }
    for (unsigned i = 0; i < NTD_CHANNELS; i++) {
        msix_vector_use(pdev, i);
    }
    pcie_cap_flr_init(pdev);
    if (d->has_ats) {
        pcie_ats_init(pdev, ATS_CAP, true);
    }
    if (d->has_pasid) {
        add_pasid(d);
    }
    if (d->has_pri) {
        add_pri(d);
    }
    /* Functions of one device do not reach each other: each is an IOMMU group. */
    if (pdev->cap_present & QEMU_PCI_CAP_MULTIFUNCTION) {
        pcie_acs_init(pdev, ACS_CAP);
    }
    timer_init_ns(&d->run, QEMU_CLOCK_VIRTUAL, ntd_run, d);
    timer_init_ns(&d->later, QEMU_CLOCK_VIRTUAL, ntd_later, d);
    nested_device_register(pdev, &device_ops);
}

static void leave(PCIDevice *pdev)
{
    NestedTestdev *d = NESTED_TESTDEV(pdev);

    stop_all(d);
    nested_device_unregister(pdev);
    msix_uninit_exclusive_bar(pdev);
    pcie_cap_exit(pdev);
}

static const Property properties[] = {
    DEFINE_PROP_BOOL("pasid", NestedTestdev, has_pasid, true),
    DEFINE_PROP_BOOL("ats", NestedTestdev, has_ats, true),
    DEFINE_PROP_BOOL("pri", NestedTestdev, has_pri, true),
    DEFINE_PROP_BOOL("can-stall", NestedTestdev, can_stall, false),
    DEFINE_PROP_BOOL("dt-can-stall", NestedTestdev, dt_can_stall, true),
};

static void class_init(ObjectClass *klass, void *data)
{
    PCIDeviceClass *pci = PCI_DEVICE_CLASS(klass);
    DeviceClass *dc = DEVICE_CLASS(klass);

    pci->realize = realize;
    pci->exit = leave;
    pci->config_write = config_write;
    pci->vendor_id = NTD_VENDOR_ID;
    pci->device_id = NTD_DEVICE_ID;
    pci->class_id = PCI_CLASS_OTHERS;
    dc->desc = "makes all kinds of accesses that an IOMMU deals with";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_legacy_reset(dc, reset);
    device_class_set_props(dc, properties);
}

static const TypeInfo type_info = {
    .name = TYPE_NESTED_TESTDEV,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(NestedTestdev),
    .class_init = class_init,
    .interfaces = (InterfaceInfo[]) { { INTERFACE_PCIE_DEVICE }, { } },
};

static void register_types(void)
{
    type_register_static(&type_info);
}

type_init(register_types)
