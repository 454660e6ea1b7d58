"""How much memory is free for what a run may leave on the disk; and how it gets memory back."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

import torch

from medfl.files.control_groups import MEMBERSHIP, ROOT, control_groups

LARGE = 2**22  # bytes of a vector from which on it counts beside what a training step takes
SHARE = 0.5  # they may take this part of the free memory: the model and other runs need the rest
# Version of control groups → its files of the limit and of what is used, and a prefix of counts.
_FILES = {
    2: ("memory.max", "memory.current", ""),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
}


def room_in_memory(device: torch.device, limit: float | None) -> float:
    """Bytes that images, or clients' states, may take: ``limit`` GiB, or half of what is free.

    They pass through main memory on their way to a GPU, so both have to have room.
    """
    if limit is not None:
        return limit * 2**30
    free = float(free_memory())
    if device.type == "cuda":
        free = min(free, float(torch.cuda.mem_get_info(device)[0]))
    return SHARE * free


def give_back_memory() -> None:
    """Let the system have what was freed and is kept by the C library for what comes next.

    Training and evaluation want pieces of other sizes: without this, the peak of a process is that
    of the one on top of what the other has left. Where the library has no such call, nothing
    happens.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def free_memory() -> float:
    """Bytes of main memory that this process can still take; infinity where the system is silent.

    That is what the machine has free, or less where a control group (a container, a SLURM job) or
    a limit of the process (``ulimit -v``, ``-d``) allows less. Pages that only cache files count
    as free.
    """
    rooms = [float("inf")]
    if available := _fields("/proc/meminfo").get("MemAvailable"):
        rooms.append(1024.0 * available)
    taken = _fields("/proc/self/status")
    for kind, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most = resource.getrlimit(kind)[0]
        if most != resource.RLIM_INFINITY:
            rooms.append(most - 1024.0 * taken.get(name, 0))
    return max(0.0, min(rooms + _room_in_groups()))


def _room_in_groups(membership: Path = MEMBERSHIP, root: Path = ROOT) -> list[float]:
    """Bytes left in each control group that limits this process."""
    rooms = []
    for group, version in control_groups("memory", membership, root):
        limit, used, prefix = _FILES[version]
        try:
            most = (group / limit).read_text(encoding="ascii").strip()
            if most != "max":
                stat = _fields(group / "memory.stat")
                cached = stat.get(f"{prefix}inactive_file", 0)
                cached += stat.get(f"{prefix}active_file", 0)
                now = int((group / used).read_text(encoding="ascii"))
                rooms.append(float(int(most) - now + cached))
        except (OSError, ValueError):  # not mounted here, or this process may not read it
            pass
    return rooms


def _fields(path: str | Path) -> dict[str, int]:
    """Read the numbers of a file whose lines are ``name value`` or ``name: value kB``."""
    fields = {}
    try:
        for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            name, *words = line.replace(":", " ").split()
            if words and words[0].isdigit():
                fields[name] = int(words[0])
    except OSError:
        pass
    return fields
