"""The settings of a run, section by section, with their defaults and checks.

``FederatedConfig`` has the sections of a run file (``federated_learning``, ``model``,
``training``, ``augmentation``, ``privacy``, ``chain``, ``keep``, ``split``) and says which run it
is (``dataset``, ``partition``, ``arm``, ``seed``).
"""

from __future__ import annotations

import os
from pathlib import Path

from medfl.config.augmentation import Augmentation
from medfl.config.base import FolderWord, Section, did_you_mean, folder_word, validate
from medfl.config.chain import ChainSettings
from medfl.config.deciding import PLACE, deciding, neutral
from medfl.config.numbers import NUMBER, Numbers
from medfl.config.run import DEFAULTS, SECTIONS, FederatedConfig
from medfl.config.sections import (
    NAME,
    NUM_CLIENTS,
    OWN,
    PRIMARY_WORDS,
    FederatedLearning,
    Keep,
    Model,
    Primary,
    Privacy,
    SplitConfig,
    Training,
)

__all__ = [
    "DEFAULTS",
    "NAME",
    "NUMBER",
    "NUM_CLIENTS",
    "OWN",
    "PLACE",
    "PRIMARY_WORDS",
    "SECTIONS",
    "Augmentation",
    "ChainSettings",
    "FederatedConfig",
    "FederatedLearning",
    "FolderWord",
    "Keep",
    "Model",
    "Numbers",
    "Primary",
    "Privacy",
    "Section",
    "SplitConfig",
    "Training",
    "data_root",
    "deciding",
    "did_you_mean",
    "folder_word",
    "neutral",
    "validate",
]


def data_root(given: str | os.PathLike[str] | None = None) -> Path:
    """Where raw data lies: the argument, else ``MEDFL_DATA``, else ``data``."""
    return Path(given or os.environ.get("MEDFL_DATA") or "data")
