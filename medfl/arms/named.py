"""The arms of a grid: named configurations of algorithms, as in ``params/algorithms.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medfl.algorithms.registry import ALGORITHMS
from medfl.config import NAME, SECTIONS, SearchRange, read_space
from medfl.errors import MedflError, naming
from medfl.files import read_yaml
from medfl.store.info import PATIENT

SEARCH = "search"
LONGEST_NAME = 120  # a folder's may have 255 bytes, and pictures and tables have to show it
OWN_KEYS = ("algorithm", SEARCH)
"""The keys of an arm that are neither a section of runs nor a hyper-parameter."""

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


def with_group_words(
    arms: Mapping[str, dict[str, Any]], words: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """The arms, and those that protect patients under names with another word for these, too.

    ``fedavg-dp-patient-eps8`` protects lesions where a dataset's groups are lesions, and is called
    ``fedavg-dp-lesion-eps8`` there.
    """
    found = dict(arms)
    for name, arm in arms.items():
        if PATIENT in name.split("-") and _protects_groups(arm):
            for word in words:
                found.setdefault(_named_after(name, word), arm)
    return found


def check_unit(name: str, arm: Mapping[str, Any], dataset: str, word: str) -> None:
    """Refuse an arm's name that says patient where the dataset's groups are called ``word``.

    Raises:
        MedflError: with the right name.
    """
    if word != PATIENT and PATIENT in name.split("-") and _protects_groups(arm):
        raise MedflError(
            f"the arm `{name}` would protect {word}s, because these are the groups of {dataset}: "
            f"write `{_named_after(name, word)}`."
        )


def _protects_groups(arm: Mapping[str, Any]) -> bool:
    """Whether an arm has differential privacy of patients, or of what else the groups are."""
    links = (arm.get("chain") or {}).get("links") or {}
    unit = (arm.get("privacy") or {}).get("differential_privacy")
    return unit == PATIENT or f"dp_{PATIENT}" in links


def _named_after(name: str, word: str) -> str:
    return "-".join(word if part == PATIENT else part for part in name.split("-"))


def hyper_parameters(arm: Mapping[str, Any]) -> dict[str, Any]:
    """What an arm says of its algorithm's hyper-parameters."""
    return {key: value for key, value in arm.items() if key not in (*SECTIONS, *OWN_KEYS)}


def search_space(name: str, arm: Mapping[str, Any]) -> dict[str, SearchRange | list[Any]]:
    """What an arm says of its own search space: setting → a range, or a list of values.

    Raises:
        MedflError: a range is none, or a list leaves no choice.
    """
    space = arm.get(SEARCH)
    return read_space({} if space is None else space, f"arm `{name}`: {SEARCH}")


def check_arm(name: str, arm: Mapping[str, Any]) -> None:
    """Check the name, the algorithm with its hyper-parameters, and the sections of an arm.

    Raises:
        MedflError: with the arm's name and what is wrong in it.
    """
    # The name is that of a folder too, and Snakemake's rules accept no other characters. Behind
    # `--arm` a first `-` would be taken for an option.
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", name):
        raise MedflError(
            f"the arm `{name}` must be named by letters, digits, `_`, `.`, `+`, `-`, and begin "
            "with a letter, a digit or `_`."
        )
    if len(name) > LONGEST_NAME:
        raise MedflError(
            f"the arm `{name}` has a name of {len(name)} letters, and {LONGEST_NAME} are the most."
        )
    if "algorithm" not in arm:
        raise MedflError(f"the arm `{name}` does not say its `algorithm`.")
    if not re.fullmatch(NAME, str(arm["algorithm"])):
        raise MedflError(
            f"arm `{name}`: `{arm['algorithm']}` is no algorithm: write a registered name, or "
            "my_package.module:MyClass."
        )
    for section in SECTIONS:
        if not isinstance(arm.get(section), dict | None):
            raise MedflError(f"arm `{name}`: `{section}` must hold settings by name.")
    for key in DECIDED.keys() & (arm.get("federated_learning") or {}):
        raise MedflError(f"arm `{name}`: federated_learning.{key} {DECIDED[key]}.")
    if "tune" in arm:
        raise MedflError(
            f"arm `{name}`: `tune` is the grid's, since all arms get as many points; what is "
            f"searched of this one stands under `{SEARCH}`."
        )
    search_space(name, arm)
    params = hyper_parameters(arm)
    algorithm = str(arm["algorithm"])
    ALGORITHMS.check_params(algorithm, params, f"arm `{name}`")
    with naming(f"arm `{name}`"):
        ALGORITHMS.create(algorithm, params)  # a person's own __init__ may fail
