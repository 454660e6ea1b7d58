"""How much memory is free, and whether a file or the want of memory is to blame for an error."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medfl.errors import MedflError, memory_ended
from medfl.files.bounds import MOST
from medfl.files.control_groups import MEMBERSHIP, ROOT, control_groups

LITTLE = 2**30  # bytes: where less is free, a file that is sound may not find room,
NEXT_TO_NONE = 2**28  # and here it is likely
# Version of control groups → its files of the limit and of what is used, and a prefix of counts.
_FILES = {
    2: ("memory.max", "memory.current", ""),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
}


class MemoryEndedError(MedflError):
    """A file could not be read for want of memory: it is not damaged, and must not be left out."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(
            f"memory has ended while {path} was read, with no other file beside it: end other "
            "programs, or give this one more memory, and give the same command again. Where it "
            "ends at this file each time, move the file away."
        )
        self.path = Path(path)

    def __reduce__(self) -> tuple[type[MemoryEndedError], tuple[Path]]:
        """Pickle by path, so that an error crosses processes."""
        return type(self), (self.path,)


@contextmanager
def naming_memory(what: str) -> Iterator[None]:
    """Prepare something: where memory ends, the error names it, and says that nothing is lost."""
    try:
        yield
    except MemoryError as error:
        raise MedflError(
            f"memory has ended while {what} was prepared, and nothing is half done: end other "
            "programs, or give this one more memory, and give the same command again."
        ) from error


def end_without_memory(error: BaseException, told: bool = True) -> None:
    """Raise ``MemoryError`` where an error, met in reading a file, is for want of memory.

    What a damaged file claims may be more than any memory has: then the file is to blame. But what
    a store holds must not hang on the memory that was free.

    Args:
        error: what a reader has raised.
        told: whether such readers say so when memory ends. pydicom's decoders do not.
    """
    cause: BaseException | None = error
    while cause is not None and not memory_ended(cause):
        cause = cause.__cause__ or cause.__context__
    asked = getattr(cause, "_total_size", None)  # NumPy says how much it was
    if cause is None:
        ended = not told and free_memory() < NEXT_TO_NONE
    else:
        ended = asked <= MOST if isinstance(asked, int) else free_memory() < LITTLE
    if ended:
        raise MemoryError from None


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
