"""Which medfl sources a result comes from: so that an edit redoes what it touches, nothing else.

``medfl/sources.py`` follows what a run imports. What is looked up by name at run time, the
algorithm and the model, is added by name: editing one algorithm's file changes the hash of its own
runs only.
"""

from __future__ import annotations

from functools import lru_cache

from medfl.algorithms.registry import ALGORITHMS
from medfl.models.registry import MODELS
from medfl.partition.registry import PARTITIONS
from medfl.partition.scheme import split_word
from medfl.sources import sha


@lru_cache
def code_sha(algorithm: str, model: str, partition: str) -> str:
    """Hash of the sources that a run uses: the engine's and those of what it names.

    Args:
        algorithm: a registered name, or a user's ``module:Class`` (its base classes' files count).
        model: likewise.
        partition: a partition's word; it may change the images that a client sees.

    Returns:
        SHA-256 over names and contents, in hexadecimal.
    """
    used = [
        ALGORITHMS.sources(algorithm),
        MODELS.sources(model),
        PARTITIONS.sources(split_word(partition)[0]),
    ]
    modules = [name for found in used for name in found.modules]
    files = [path for found in used for path in found.files]
    return sha(["medfl.federated", *modules], files)


@lru_cache
def split_sha(partition: str) -> str:
    """Hash of the sources that make a split: the rooms they lie in, and a person's own class."""
    found = PARTITIONS.sources(split_word(partition)[0])
    return sha(["medfl.partition", "medfl.store.store"], found.files)
