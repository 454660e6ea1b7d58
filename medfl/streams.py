"""Randomness: one independent stream for each (seed, round, client, purpose).

Nothing drawn for one purpose moves another: not the order of clients, not how often a run is
evaluated, not how many processes there are.
"""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, *key: int | str) -> int:
    """A 63-bit seed that depends on every part of the key, by SHA-256."""
    text = "/".join([str(seed), *map(str, key)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *key: int | str) -> torch.Generator:
    """A CPU generator for this key alone."""
    return torch.Generator().manual_seed(stream_seed(seed, *key))


def seed_layers(seed: int, device: torch.device) -> None:
    """Seed the generators that dropout and the like draw from on this device.

    ``torch.manual_seed`` does the same for devices that are never used, and keeps a stack trace of
    every call for the day they are: a millisecond a client, and memory that grows with the rounds.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
