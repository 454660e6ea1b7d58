"""Randomness: one independent stream for each (seed, round, client, purpose).

What is drawn for one purpose changes nothing that is drawn for another. So results depend neither
on the order of clients, nor on how often a run is evaluated, nor on the number of processes.
"""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, *key: int | str) -> int:
    """A 63-bit seed that depends on every part of the key, by SHA-256."""
    text = "/".join([str(seed), *map(str, key)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *key: int | str) -> torch.Generator:
    """A generator on the CPU that serves this key alone."""
    return torch.Generator().manual_seed(stream_seed(seed, *key))


def seed_layers(seed: int, device: torch.device) -> None:
    """Seed the generators that dropout and the like draw from on this device.

    ``torch.manual_seed`` also seeds devices that are never used: it keeps every such call, with a
    stack trace, until they are. That costs a millisecond per client, and memory that grows with
    the rounds.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
