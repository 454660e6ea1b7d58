"""What a process has taken of the machine."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def processor_seconds() -> float:
    """The processor's seconds that this process has taken, with its children's that have ended."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def peak_memory() -> int:
    """The most bytes of memory that this process held at one time, those that others share too.

    Of a process that another program has started, ``ru_maxrss`` would count that program's as well.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):  # another system, or one that does not say it
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most
