"""A random stream for each (seed, purpose), so that no draw depends on what was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """The generator for one purpose alone, for example ``stream(0, "dirichlet", "melanoma")``.

    Args:
        seed: the split's seed, 0 or more.
        purpose: words and numbers that say what is drawn, and for whom.
    """
    text = "\0".join(f"{type(part).__name__}:{part}" for part in purpose)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32)
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))
