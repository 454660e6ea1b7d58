"""Memory that was freed stays with a worker, which needs it again in its next step."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of `mallopt`, in glibc's malloc.h
_LARGEST = 2**25  # bytes that glibc takes from its heap at the most
_KEPT = 2**30


def keep_freed_memory() -> None:
    """Let glibc keep what is freed, up to a GiB, in place of giving it back to the system.

    Gradients are freed after each step, and a client's message after it is sent. The system would
    hand the same memory out anew page by page, full of zeros: that took a twentieth of a round of
    ResNet-18. Other C libraries have no such switch, and it changes no result.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
