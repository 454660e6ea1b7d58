"""How much memory there is for what a run may leave on the disk; and how it gets memory back."""

from __future__ import annotations

import ctypes

import torch

from medfl.files.memory import free_memory

LARGE = 2**22  # bytes of a vector from which on it counts beside what a training step takes
SHARE = 0.5  # they may take this part of the free memory: the model and other runs need the rest


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
