# SPDX-License-Identifier: GPL-2.0
"""Builds the initial RAM file system of an emulated machine.

It holds busybox, the init program, the kernel's modules that are needed and
ours, with a modules.dep so that modprobe finds both, and whatever files a test
wants.  The archive is written here, in cpio's "newc" form: that needs no root,
no device nodes and no temporary copy.
"""

import lzma
import os
import re
import stat
from pathlib import Path


class Archive:
    """A cpio archive in memory.  Parent directories come by themselves."""

    def __init__(self):
        self._chunks = []
        self._names = set()

    def _entry(self, name, mode, data=b""):
        if name in self._names:
            return
        self._names.add(name)
        fields = [len(self._names), mode, 0, 0, 1, 0, len(data),
                  0, 0, 0, 0, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in (header + name.encode() + b"\0", data):
            self._chunks += [part, b"\0" * (-len(part) % 4)]

    def _parents(self, name):
        for parent in reversed(Path(name).parents):
            if str(parent) != ".":
                self._entry(str(parent), stat.S_IFDIR | 0o755)

    def add(self, name, data, mode=0o644):
        """Adds a regular file."""
        name = name.lstrip("/")
        self._parents(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def add_node(self, name, major, minor):
        """Adds a character device."""
        self._parents(name)
        self._entry(name, stat.S_IFCHR | 0o600)
        header = self._chunks[-4]
        device = b"%08x%08x" % (major, minor)
        self._chunks[-4] = header[:78] + device + header[94:]

    def add_path(self, name, path):
        """Adds a file or a directory of the host, following links.

        Of a directory without what a compiler leaves beside a program.
        """
        if path.is_dir():
            for child in sorted(path.iterdir()):
                if child.suffix not in (".d", ".o", ".a"):
                    self.add_path(f"{name}/{child.name}", child)
        else:
            executable = os.access(path, os.X_OK)
            self.add(name, path.read_bytes(), 0o755 if executable else 0o644)

    def data(self):
        """The whole archive."""
        if "TRAILER!!!" not in self._names:
            self._entry("TRAILER!!!", 0)
        return b"".join(self._chunks)


def normal(name):
    """A module's name as the kernel spells it."""
    return re.sub(r"\.ko(\.\w+)?$", "", Path(name).name).replace("-", "_")


class Modules:
    """The modules of one kernel (those in BASE), and ours on top of them."""

    def __init__(self, base, ours):
        self.release = base.name
        self._paths, self._needs = {}, {}
        for line in (base / "modules.dep").read_text().splitlines():
            path, needs = line.split(":", 1)
            self._paths[normal(path)] = base / path
            self._needs[normal(path)] = [normal(need) for need in needs.split()]
        self._builtin = {normal(line) for line in
                         (base / "modules.builtin").read_text().splitlines()}
        self._add_soft(base)
        for path in ours:
            needs = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
            self._paths[normal(path.name)] = path
            self._needs[normal(path.name)] = [
                normal(need) for need in needs[1].decode().split(",") if need]

    def _add_soft(self, base):
        """What a module asks for by "softdep: pre" counts as needed."""
        aliases = {}
        for line in (base / "modules.alias").read_text().splitlines():
            if line.startswith("alias crypto-"):
                _, alias, name = line.split()
                aliases.setdefault(normal(alias), normal(name))
        for line in (base / "modules.softdep").read_text().splitlines():
            match = re.match(r"softdep (\S+) pre: (.*?)(?: post:|$)", line)
            if match and normal(match[1]) in self._needs:
                for soft in map(normal, match[2].split()):
                    name = aliases.get(soft, soft)
                    if name in self._paths:
                        self._needs[normal(match[1])].append(name)

    def closure(self, names):
        """NAMES and all that they need, each before what it needs.

        What is built in needs nothing.
        """
        found, seen = [], set()

        def visit(name):
            name = normal(name)
            if name in seen or name in self._builtin:
                return
            if name not in self._paths:
                raise LookupError(f"there is no module {name} for {self.release}")
            seen.add(name)
            for need in self._needs[name]:
                visit(need)
            found.append(name)

        for name in names:
            visit(name)
        return found[::-1]

    def add_to(self, archive, names):
        """Puts NAMES and what they need into ARCHIVE, ready for modprobe."""
        base = f"lib/modules/{self.release}"
        chosen = self.closure(names)
        files = {name: normal_file(self._paths[name]) for name in chosen}
        lines = []
        for name in chosen:
            data = self._paths[name].read_bytes()
            if self._paths[name].suffix == ".xz":
                data = lzma.decompress(data)
            archive.add(f"{base}/{files[name]}", data)
            needs = self.closure([name])[1:]
            lines.append(f"{files[name]}: " + " ".join(files[need] for need in needs))
        archive.add(f"{base}/modules.dep", ("\n".join(lines) + "\n").encode())


def normal_file(path):
    """The file name of a module, uncompressed."""
    return re.sub(r"\.xz$", "", path.name)
