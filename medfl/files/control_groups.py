"""The control groups (a container, a SLURM job) that limit this process, version 2 or 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP, ROOT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def control_groups(
    controller: str, membership: Path = MEMBERSHIP, root: Path = ROOT
) -> Iterator[tuple[Path, int]]:
    """The folders that may limit what a controller counts, such as ``memory``, from the inside out.

    A group's limit holds for all groups within it, so each group up to the root is given. A file
    that is looked for in a folder may be missing: it is not mounted here, or not to be read.

    Yields:
        A folder, and the version, 2 or 1, by which its files are called.
    """
    try:
        lines = membership.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            top, version = root, 2
        elif controller in controllers.split(","):
            top, version = root / controller, 1
        else:
            continue
        folder = top / name.strip("/")
        for group in (folder, *folder.parents):
            yield group, version
            if group == top:
                break
