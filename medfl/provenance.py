"""Which medfl sources a result comes from: so that an edit redoes what it touches, nothing else.

``medfl/sources.py`` follows what a run imports. What is looked up by name at run time, the
algorithm and the model, is added by name: editing one algorithm's file changes the hash of its own
runs only.
"""

from __future__ import annotations

from functools import lru_cache

from medfl.algorithms.registry import ALGORITHMS
from medfl.models.registry import MODELS
from medfl.sources import sha


@lru_cache
def code_sha(algorithm: str, model: str) -> str:
    """Hash of the sources that a run uses: the engine, its algorithm's file and its model's.

    Args:
        algorithm: a registered name, or a user's ``module:Class`` (its base classes' files count).
        model: likewise.

    Returns:
        SHA-256 over names and contents, in hexadecimal.
    """
    used = [ALGORITHMS.sources(algorithm), MODELS.sources(model)]
    modules = [name for found in used for name in found.modules]
    files = [path for found in used for path in found.files]
    return sha(["medfl.federated", *modules], files)
