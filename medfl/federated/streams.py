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
