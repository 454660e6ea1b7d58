"""The arms of a grid: named configurations of algorithms, as in ``params/algorithms.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medfl.algorithms.registry import ALGORITHMS
from medfl.config import NAME, SECTIONS
from medfl.errors import MedflError, naming
from medfl.files import read_yaml

# What the grid decides for every run; the settings of runs may not say it too.
DECIDED = {
    "algorithm": "is decided by the arm: write `algorithm` beside its hyper-parameters",
    "algorithm_params": "is decided by the arm: write hyper-parameters beside its `algorithm`",
    "num_clients": "is decided by num_clients of the grid, or of a dataset in dataset_settings",
}


def read_arms(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read the named arms: name → ``{algorithm: …, hyper-parameters, sections}``."""
    arms = read_yaml(path)
    if not isinstance(arms, dict) or not arms:
        raise MedflError(f"{path} must map each arm's name to its settings.")
    for name, arm in arms.items():
        if not isinstance(name, str) or not isinstance(arm, dict):
            raise MedflError(f"{path} must map each arm's name to its settings; see `{name}`.")
    return arms


def check_arm(name: str, arm: Mapping[str, Any]) -> None:
    """Check the name, the algorithm with its hyper-parameters, and the sections of an arm.

    Raises:
        MedflError: with the arm's name and what is wrong in it.
    """
    # The name is that of a folder too, and Snakemake's rules accept no other characters.
    if not re.fullmatch(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*", name):
        raise MedflError(f"the arm `{name}` must be named by letters, digits, `_`, `.`, `+`, `-`.")
    if "algorithm" not in arm:
        raise MedflError(f"the arm `{name}` does not say its `algorithm`.")
    if not re.fullmatch(NAME, str(arm["algorithm"])):
        raise MedflError(
            f"arm `{name}`: `{arm['algorithm']}` is no algorithm: write a registered name, or "
            "my_package.module:MyClass."
        )
    for section in SECTIONS:
        if not isinstance(arm.get(section) or {}, dict):
            raise MedflError(f"arm `{name}`: `{section}` must hold settings by name.")
    for key in DECIDED.keys() & (arm.get("federated_learning") or {}):
        raise MedflError(f"arm `{name}`: federated_learning.{key} {DECIDED[key]}.")
    params = {key: value for key, value in arm.items() if key not in (*SECTIONS, "algorithm")}
    algorithm = str(arm["algorithm"])
    ALGORITHMS.check_params(algorithm, params, f"arm `{name}`")
    with naming(f"arm `{name}`"):
        ALGORITHMS.create(algorithm, params)  # a person's own __init__ may fail
