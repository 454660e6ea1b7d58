"""Which medfl sources a result comes from: so that an edit redoes what it touches, nothing else.

``medfl/sources.py`` follows what a run imports. What is looked up by name at run time, the
algorithm and the model, is added by name: editing one algorithm's file changes the hash of its own
runs only.
"""

from __future__ import annotations

from functools import lru_cache

from medfl.algorithms.registry import ALGORITHMS
from medfl.sources import NO_RESULT, sha

# The registry of models imports them all; these are only reached by torchvision's networks.
TORCHVISION = frozenset({"medfl.models.backbones", "medfl.models.torchvision_cpu"})
SMALL_MODELS = ("cnn", "mlp", "logistic")


@lru_cache
def code_sha(algorithm: str, model: str) -> str:
    """Hash of the sources that a run uses: the engine, its algorithm's file and its model's.

    Args:
        algorithm: a registered name, or a user's ``module:Class`` (its base classes' files count).
        model: a model's name.

    Returns:
        SHA-256 over names and contents, in hexadecimal.
    """
    modules, files = ALGORITHMS.sources(algorithm)
    roots = ["medfl.federated", "medfl.models", *modules]
    skip = TORCHVISION if model in SMALL_MODELS else frozenset[str]()
    return sha(roots, files, NO_RESULT | skip)
