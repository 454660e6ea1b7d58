"""The settings of a run, section by section, with their defaults and checks.

``FederatedConfig`` has the sections of a run file (``federated_learning``, ``model``,
``training``, ``augmentation``, ``privacy``, ``chain``, ``keep``, ``report``, ``split``) and says
which run it is (``dataset``, ``partition``, ``arm``, ``seed``).
"""

from __future__ import annotations

from medfl.config.augmentation import Augmentation
from medfl.config.base import (
    FolderWord,
    Section,
    check_distinct,
    did_you_mean,
    folder_word,
    validate,
)
from medfl.config.chain import ChainSettings
from medfl.config.deciding import PLACE, deciding, in_order, neutral
from medfl.config.folders import (
    ARMS_FILE,
    DEFAULT_GRID,
    OUTPUT_DIR,
    RAW_ROOT,
    SPLITS_DIR,
    WORK_ROOT,
    data_root,
    prepared_dir,
)
from medfl.config.held import SINGLE, Held, Strength, check_strengths, large_numbers, overflowed
from medfl.config.numbers import LARGEST, MOST_STEPS, NUMBER, WHOLE, Numbers, kinds_of
from medfl.config.privacy import DP_LINKS, PER_SAMPLE, UNITS, Privacy, privacy_over
from medfl.config.report import Report
from medfl.config.robustness import CrossedArm, RobustnessAxes
from medfl.config.run import DEFAULTS, SECTIONS, FederatedConfig
from medfl.config.sections import (
    NAME,
    NUM_CLIENTS,
    OWN,
    PRIMARY_WORDS,
    FederatedLearning,
    GivenSplit,
    Keep,
    Model,
    Primary,
    SplitConfig,
)
from medfl.config.training import Training
from medfl.config.tuning import LEARNING_RATE, SearchRange, Tune, read_space

__all__ = [
    "ARMS_FILE",
    "DEFAULTS",
    "DEFAULT_GRID",
    "DP_LINKS",
    "LARGEST",
    "LEARNING_RATE",
    "MOST_STEPS",
    "NAME",
    "NUMBER",
    "NUM_CLIENTS",
    "OUTPUT_DIR",
    "OWN",
    "PER_SAMPLE",
    "PLACE",
    "PRIMARY_WORDS",
    "RAW_ROOT",
    "SECTIONS",
    "SINGLE",
    "SPLITS_DIR",
    "UNITS",
    "WHOLE",
    "WORK_ROOT",
    "Augmentation",
    "ChainSettings",
    "CrossedArm",
    "FederatedConfig",
    "FederatedLearning",
    "FolderWord",
    "GivenSplit",
    "Held",
    "Keep",
    "Model",
    "Numbers",
    "Primary",
    "Privacy",
    "Report",
    "RobustnessAxes",
    "SearchRange",
    "Section",
    "SplitConfig",
    "Strength",
    "Training",
    "Tune",
    "check_distinct",
    "check_strengths",
    "data_root",
    "deciding",
    "did_you_mean",
    "folder_word",
    "in_order",
    "kinds_of",
    "large_numbers",
    "neutral",
    "overflowed",
    "prepared_dir",
    "privacy_over",
    "read_space",
    "validate",
]
