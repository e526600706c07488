# SPDX-License-Identifier: GPL-2.0
"""A QEMU machine without a running processor, driven over the qtest protocol.

The test plays the driver: it writes tables and queues into memory and registers
of the devices, so what the devices do depends on nothing else.
"""

import re
import subprocess
import tempfile
import time
from pathlib import Path

HEADER = Path(__file__).resolve().parent.parent / "nested-testdev.h"


def constants():
    """What nested-testdev.h defines as plain numbers."""
    found = {}
    for line in HEADER.read_text().splitlines():
        match = re.match(r"#define\s+(NTD_\w+)\s+(0x[0-9a-f]+|\d+)\b", line)
        if match:
            found[match[1]] = int(match[2], 0)
    return found


class Qtest:
    """One QEMU; used in a "with" statement."""

    def __init__(self, command):
        # pylint: disable=consider-using-with
        self._stderr = tempfile.TemporaryFile(mode="w+")
        self._qemu = subprocess.Popen(
            ["timeout", "-k", "5", "120"] + command
            + ["-accel", "qtest", "-qtest", "stdio", "-qtest-log", "none", "-display", "none", "-nodefaults",
               "-monitor", "none", "-nic", "none"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._qemu.stdin.close()
        self._qemu.stdout.close()
        self._qemu.terminate()
        self._qemu.wait()
        self._stderr.close()

    def command(self, *words):
        """Sends a command; the words of the answer."""
        self._qemu.stdin.write(" ".join(str(word) for word in words) + "\n")
        self._qemu.stdin.flush()
        for line in self._qemu.stdout:
            if not line.startswith("IRQ"):
                break
        else:
            self._qemu.wait()
            raise RuntimeError(f"QEMU is gone:\n{self.said()}")
        answer = line.split()
        if answer[0] != "OK":
            raise RuntimeError(f"{' '.join(map(str, words))}: {line}")
        return answer[1:]

    def said(self):
        """What QEMU has printed on stderr."""
        self._stderr.seek(0)
        return self._stderr.read()

    def violations(self):
        """The protocol violations that it has reported."""
        return [line for line in self.said().splitlines()
                if line.startswith("protocol violation: ")]

    def readl(self, address):
        """A register of 32 bits."""
        return int(self.command("readl", hex(address))[0], 16)

    def writel(self, address, value):
        """A register of 32 bits."""
        self.command("writel", hex(address), hex(value & 0xffffffff))

    def writeq(self, address, value):
        """A register of 64 bits."""
        self.command("writeq", hex(address), hex(value))

    def read(self, address, size):
        """Memory."""
        return bytes.fromhex(self.command("read", hex(address), size)[0][2:])

    def write(self, address, data):
        """Memory."""
        self.command("write", hex(address), len(data), "0x" + data.hex())

    def read64(self, address, count=1):
        """Words of 64 bits in memory."""
        data = self.read(address, 8 * count)
        return [int.from_bytes(data[8 * i:8 * i + 8], "little") for i in range(count)]

    def write64(self, address, *words):
        """Words of 64 bits in memory."""
        self.write(address, b"".join(word.to_bytes(8, "little") for word in words))

    def step(self, nanoseconds):
        """Lets virtual time pass, which stands still otherwise."""
        self.command("clock_step", nanoseconds)


class Edu:
    """QEMU's edu on the root bus, set up by hand: it copies words of four bytes.

    Its buffer cannot be seen but by copying, so it is filled while addresses are
    physical.
    """

    BUFFER, WORDS, LOADED = 0x40000, 256, 0x800

    def __init__(self, machine, ecam, window, slot, scratch):
        # pylint: disable=too-many-arguments,too-many-positional-arguments
        self._m, self._bar, self._scratch = machine, window, scratch
        self.RID = slot << 3    # pylint: disable=invalid-name
        config = ecam + (slot << 15)
        machine.writel(config + 0x10, window)
        machine.writel(config + 0x04, 6)
        if machine.readl(window) & 0xff != 0xed:
            raise RuntimeError("edu is not where it was put")
        machine.write(scratch, b"".join((0x5eed0000 + word).to_bytes(4, "little")
                                        for word in range(self.WORDS)))
        self._copy(scratch, self.BUFFER, 4 * self.WORDS, 1)
        self._next = 0

    def _copy(self, source, destination, size, command):
        for offset, value in ((0x80, source), (0x88, destination), (0x90, size),
                              (0x98, command)):
            self._m.writeq(self._bar + offset, value)
        self._m.step(200000000)     # it starts after 100 ms
        if self._m.readl(self._bar + 0x98) & 1:
            raise RuntimeError("edu is not done")

    def load(self, address):
        """From memory to the device."""
        self._copy(address, self.BUFFER + self.LOADED, 4, 1)

    def loaded(self):
        """What load() has got; addresses are physical at this time."""
        self._copy(self.BUFFER + self.LOADED, self._scratch, 4, 3)
        return self._m.readl(self._scratch)

    def store(self, address):
        """From the device to memory; returns what it writes, a new value each time."""
        word = self._next
        self._next += 1
        self._copy(self.BUFFER + 4 * word, address, 4, 3)
        return 0x5eed0000 + word


class Testdev:
    """nested-testdev behind a root port, set up by hand."""

    ATS, PASID, PRI = 0x100, 0x110, 0x120
    RID = 0x100

    def __init__(self, machine, ecam, window, port):
        self._m, self._bar = machine, window
        self.n = constants()
        bridge = ecam + (port << 12)
        self.config = ecam + (1 << 20)
        machine.writel(bridge + 0x18, 0x00010100)       # buses 0, 1 to 1
        machine.writel(bridge + 0x20, (window >> 16) | (window & 0xfff00000))
        machine.writel(bridge + 0x04, 6)
        machine.writel(self.config + 0x10, window)
        machine.writel(self.config + 0x14, 0)
        machine.writel(self.config + 0x04, 6)
        if self.reg("NTD_ID") != self.n["NTD_MAGIC"]:
            raise RuntimeError("nested-testdev is not where it was put")

    def reg(self, name):
        """A register of the function."""
        return self._m.readl(self._bar + self.n[name])

    def set(self, name, value):
        """A register of the function."""
        self._m.writel(self._bar + self.n[name], value)

    def channel(self, name, channel=0):
        """A register of a channel."""
        return self._m.readl(self._bar + 0x1000 + channel * 0x100 + self.n[name])

    def set_channel(self, name, value, channel=0):
        """A register of a channel."""
        self._m.writel(self._bar + 0x1000 + channel * 0x100 + self.n[name], value)

    def enable_msix(self, vector, address, data):
        """MSI-X, with one vector."""
        table = self._bar + 0x40000
        self._m.writel(self.config + 0x18, table)
        capability = self._m.readl(self.config + 0x34) & 0xff
        while self._m.readl(self.config + capability) & 0xff != 0x11:
            capability = self._m.readl(self.config + capability) >> 8 & 0xff
        self._m.writel(self.config + capability, 1 << 31)
        for offset, value in ((0, address & 0xffffffff), (4, address >> 32), (8, data), (12, 0)):
            self._m.writel(table + vector * 16 + offset, value)

    def enable_pasid(self, control=7):
        """PASID Control."""
        self._m.writel(self.config + self.PASID + 4, self._m.readl(
            self.config + self.PASID + 4) & 0xffff | control << 16)

    def enable_ats(self, on=True):
        """ATS Control."""
        self._m.writel(self.config + self.ATS + 4, 0x80000000 if on else 0)

    def enable_pri(self, allocation=8):
        """PRI Control and allocation."""
        self._m.writel(self.config + self.PRI + 12, allocation)
        self._m.writel(self.config + self.PRI + 4, 1)

    def pri_status(self):
        """PRI Status."""
        return self._m.readl(self.config + self.PRI + 4) >> 16

    def buffer(self, offset=0):
        """A word of the buffer."""
        return self._m.readl(self._bar + self.n["NTD_BUFFER"] + offset)

    def set_buffer(self, value, offset=0):
        """A word of the buffer."""
        self._m.writel(self._bar + self.n["NTD_BUFFER"] + offset, value)

    # pylint: disable=too-many-arguments
    def start(self, address, *flags, length=4, pasid=None, outstanding=1, channel=0):
        """Starts a channel; FLAGS are names without "NTD_"."""
        word = 0
        for name in flags:
            word |= self.n["NTD_" + name]
        for name, value in (("ADDR", address & 0xffffffff), ("LENGTH", length),
                            ("PASID", 0 if pasid is None else 1 << 31 | pasid),
                            ("FLAGS", word), ("BUFFER", 0), ("OUTSTANDING", outstanding)):
            self.set_channel("NTD_CH_" + name, value, channel)
        self._m.writel(self._bar + 0x1000 + channel * 0x100 + 4, address >> 32)
        self.set_channel("NTD_CH_CONTROL", self.n["NTD_CONTROL_START"], channel)

    def stop(self, channel=0):
        """Stops a channel."""
        self.set_channel("NTD_CH_CONTROL", self.n["NTD_CONTROL_STOP"], channel)

    def state(self, channel=0):
        """(state, error) as names, once nothing moves any more."""
        status = self.channel("NTD_CH_STATUS", channel)
        for _ in range(100):
            if status & 0xff != self.n["NTD_STATE_RUNNING"]:
                break
            time.sleep(0.001)           # timers whose time has come run by themselves
            self._m.step(1000)
            status = self.channel("NTD_CH_STATUS", channel)
        names = {value: name for name, value in self.n.items()
                 if name.startswith("NTD_STATE_")}
        errors = {value: name for name, value in self.n.items() if name.startswith("NTD_ERR_")}
        return names[status & 0xff][10:], errors[status >> 8 & 0xff][8:]

    def run(self, address, *flags, **options):
        """Starts a channel, and its state when nothing moves any more."""
        self.start(address, *flags, **options)
        return self.state(options.get("channel", 0))
