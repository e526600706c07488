# SPDX-License-Identifier: GPL-2.0
"""The least driver for an SMMUv3 that tests can do with (Arm IHI 0070)."""

BASE = 0x09050000
RAM = 0x40000000

# Where things are in memory.
STRTAB = RAM + 0x00100000
CDTAB = RAM + 0x00200000        # linear, or level 1
CDLEAF = RAM + 0x00400000
CMDQ = RAM + 0x00300000
EVTQ = RAM + 0x00310000
PRIQ = RAM + 0x00320000
TABLES = RAM + 0x00800000
S2TABLES = RAM + 0x00c00000
PAGES = RAM + 0x01000000

IDR = [BASE + 4 * i for i in range(6)]
CR0, CR0ACK, CR2, IRQ_CTRL = BASE + 0x20, BASE + 0x24, BASE + 0x2c, BASE + 0x50
GERROR, GERRORN = BASE + 0x60, BASE + 0x64
STRTAB_BASE, STRTAB_CFG = BASE + 0x80, BASE + 0x88
CMDQ_BASE, CMDQ_PROD, CMDQ_CONS = BASE + 0x90, BASE + 0x98, BASE + 0x9c
EVTQ_BASE, EVTQ_PROD, EVTQ_CONS = BASE + 0xa0, BASE + 0x100a8, BASE + 0x100ac
PRIQ_BASE, PRIQ_PROD, PRIQ_CONS = BASE + 0xc0, BASE + 0x100c8, BASE + 0x100cc

SMMUEN, PRIQEN, EVTQEN, CMDQEN, ATSCHK = 1, 2, 4, 8, 16

EVENTS = {
    0x02: "C_BAD_STREAMID", 0x04: "C_BAD_STE", 0x05: "F_BAD_ATS_TREQ",
    0x06: "F_STREAM_DISABLED", 0x07: "F_TRANSL_FORBIDDEN", 0x08: "C_BAD_SUBSTREAMID",
    0x09: "F_CD_FETCH", 0x0a: "C_BAD_CD", 0x0b: "F_WALK_EABT", 0x10: "F_TRANSLATION",
    0x11: "F_ADDR_SIZE", 0x12: "F_ACCESS", 0x13: "F_PERMISSION",
}

PTE_TABLE, PTE_PAGE = 3, 3 | 1 << 10 | 1 << 6      # AF, unprivileged access
PTE_READONLY, PTE_UXN, PTE_PRIV = 1 << 7, 1 << 54, 1 << 6
S2_PAGE = 3 | 1 << 10 | 3 << 6                      # AF, read and write


def ste(config=5, s1fmt=0, cdmax=0, s1dss=2, word1=0, word2=0, word3=0, valid=1):
    """A Stream Table Entry."""
    # pylint: disable=too-many-arguments,too-many-positional-arguments
    return [valid | config << 1 | s1fmt << 4 | CDTAB | cdmax << 59,
            s1dss | word1, word2, word3, 0, 0, 0, 0]


S2_WORD2 = 7 | 25 << 32 | 1 << 38 | 4 << 48 | 1 << 51 | 1 << 58   # VMID 7, 39 bits, S2R


def cd(asid=1, stall=False, abort=True, record=True, word0=0, table=TABLES):
    """A Context Descriptor: 39 bits, 4 KiB, TTB0 only."""
    # pylint: disable=too-many-arguments,too-many-positional-arguments
    return [25 | 1 << 30 | 1 << 31 | 4 << 32 | 1 << 41 | stall << 44 | record << 45
            | abort << 46 | asid << 48 | word0, table, 0, 0, 0, 0, 0, 0]


class Event:
    """A record of the Event queue."""

    def __init__(self, words):
        self.name = EVENTS.get(words[0] & 0xff, hex(words[0] & 0xff))
        self.ssv = bool(words[0] >> 11 & 1)
        self.ssid = words[0] >> 12 & 0xfffff
        self.sid = words[0] >> 32
        self.stag = words[1] & 0xffff
        self.stall = bool(words[1] >> 31 & 1)
        self.privileged = bool(words[1] >> 33 & 1)
        self.execute = bool(words[1] >> 34 & 1)
        self.read = bool(words[1] >> 35 & 1)
        self.stage2 = bool(words[1] >> 39 & 1)
        self.cls = words[1] >> 40 & 3
        self.address = words[2]
        self.ipa = words[3]

    def __repr__(self):
        return f"{self.name}(sid={self.sid:#x}, stall={self.stall}, at={self.address:#x})"


class Smmu:
    """The SMMU of a machine, and its tables."""

    def __init__(self, machine, sid, evtq_log2=7, priq_log2=4):
        self.m, self.sid = machine, sid
        self._logs = {EVTQ: evtq_log2, PRIQ: priq_log2}
        self._next_page = 0
        machine.writeq(STRTAB_BASE, STRTAB)
        machine.writel(STRTAB_CFG, 9)
        machine.writeq(CMDQ_BASE, CMDQ | 8)
        machine.writeq(EVTQ_BASE, EVTQ | evtq_log2)
        machine.writeq(PRIQ_BASE, PRIQ | priq_log2)
        machine.writel(CR2, 2)
        machine.writel(IRQ_CTRL, 7)
        machine.writel(CR0, SMMUEN | PRIQEN | EVTQEN | CMDQEN)

    # --- Tables -----------------------------------------------------------

    def set_ste(self, words, sync=True):
        """The STE of the function."""
        self.m.write64(STRTAB + self.sid * 64, *words)
        if sync:
            self.commands((3 | self.sid << 32, 1), (0x46, 0))

    def set_cd(self, index, words, table=CDTAB, sync=True):
        """A CD of a linear table, or of a leaf table."""
        self.m.write64(table + index * 64, *words)
        if sync:
            self.commands((5 | index << 12 | self.sid << 32, 1), (0x46, 0))

    def _map(self, root, address, entry, nodes, translate):
        """A page of 4 KiB in tables of three levels, made as needed."""
        table = root
        for level, shift in ((1, 30), (2, 21)):
            slot = table + (address >> shift & 511) * 8
            key = (root, level, address >> shift)
            if key not in nodes:
                nodes[key] = root + 0x1000 * (len(nodes) + 1)
                self.m.write64(slot, translate(nodes[key]) | PTE_TABLE)
            table = nodes[key]
        self.m.write64(table + (address >> 12 & 511) * 8, entry)

    def map(self, address, physical, bits=PTE_PAGE, root=TABLES):
        """Stage 1."""
        self._map(root, address, physical | bits if physical is not None else 0,
                  self.__dict__.setdefault("nodes", {}), lambda table: table)

    def unmap(self, address, root=TABLES):
        """Stage 1, without any invalidation."""
        self.map(address, None, root=root)

    def map2(self, ipa, physical, bits=S2_PAGE):
        """Stage 2."""
        self._map(S2TABLES, ipa, physical | bits if physical is not None else 0,
                  self.__dict__.setdefault("nodes2", {}), lambda table: table)

    # --- Queues -----------------------------------------------------------

    def submit(self, *commands):
        """Puts commands into the queue; returns what CONS is then."""
        prod = self.m.readl(CMDQ_PROD) & 0x1ff
        for command in commands:
            self.m.write64(CMDQ + (prod & 0xff) * 16, *command)
            prod = (prod + 1) & 0x1ff
        self.m.writel(CMDQ_PROD, prod)
        return self.m.readl(CMDQ_CONS)

    def commands(self, *commands):
        """Puts commands into the queue; they have to be consumed without error."""
        cons = self.submit(*commands)
        if self._stopped() or cons & 0x1ff != self.m.readl(CMDQ_PROD):
            raise RuntimeError(f"the queue is stuck: CONS {cons:#x}")

    def _stopped(self):
        """Is GERROR.CMDQ_ERR active?  CONS.ERR means nothing without it."""
        return bool((self.m.readl(GERROR) ^ self.m.readl(GERRORN)) & 1)

    def command_error(self, *command):
        """The error that a command raises; the queue works again afterwards."""
        cons = self.submit(command)
        if not self._stopped():
            return 0
        self.m.write64(CMDQ + (cons & 0xff) * 16, 0x46, 0)
        self.m.writel(GERRORN, self.m.readl(GERROR))
        return cons >> 24 & 0x7f

    def tlbi_all(self):
        """CMD_TLBI_NSNH_ALL and SYNC."""
        self.commands((0x30, 0), (0x46, 0))

    def resume(self, stag, retry=True, sid=None):
        """CMD_RESUME; without @retry it aborts."""
        sid = self.sid if sid is None else sid
        self.commands((0x44 | sid << 32 | (1 << 12 if retry else 1 << 13), stag))

    def _take(self, base, size, prod, cons, limit=None):
        log2 = self._logs[base]
        mask = (2 << log2) - 1
        reader, writer = self.m.readl(cons), self.m.readl(prod)
        records = []
        while (reader ^ writer) & mask and (limit is None or len(records) < limit):
            index = reader & ((1 << log2) - 1)
            records.append(self.m.read64(base + index * size, size // 8))
            reader = reader & ~mask | (reader + 1) & mask
        self.m.writel(cons, reader & mask | writer & 1 << 31)
        return records

    def pending(self):
        """How many events nobody has taken."""
        mask = (2 << self._logs[EVTQ]) - 1
        return (self.m.readl(EVTQ_PROD) - self.m.readl(EVTQ_CONS)) & mask

    def overflowed(self, prod=EVTQ_PROD, cons=EVTQ_CONS):
        """Is there an overflow that nobody has acknowledged?"""
        return bool((self.m.readl(prod) ^ self.m.readl(cons)) >> 31)

    def events(self, limit=None):
        """Takes the events."""
        return [Event(words) for words in
                self._take(EVTQ, 32, EVTQ_PROD, EVTQ_CONS, limit)]

    def event(self):
        """Takes the one event that there has to be."""
        events = self.events()
        if len(events) != 1:
            raise AssertionError(f"{len(events)} events instead of one: {events}")
        return events[0]

    def page_requests(self):
        """Takes the page requests, as pairs of words."""
        return self._take(PRIQ, 16, PRIQ_PROD, PRIQ_CONS)
