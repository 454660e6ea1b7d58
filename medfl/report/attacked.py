"""Who attacks an arm, and how: arms under one attack are compared with each other alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from medfl.config import CrossedArm
from medfl.errors import MedflError
from medfl.files import read_yaml
from medfl.report.names import plural
from medfl.results import paths
from medfl.results.runs import Run

NOBODY = "nobody attacks"


@dataclass(frozen=True)
class Attacked:
    """How many attack, and how.

    Attributes:
        attack: the attack's name in the grid; empty where nobody attacks.
        attackers: a share of the clients below 1, or their number, as in the grid.
    """

    attack: str = ""
    attackers: float = 0

    @property
    def words(self) -> str:
        """``alie (20 %)``; ``alie (3 attackers)``."""
        return f"{self.attack} ({self.many})" if self.attack else NOBODY

    @property
    def many(self) -> str:
        """``20 %``; ``3 attackers``."""
        if self.attackers < 1:
            return f"{100 * self.attackers:g} %"
        return plural(int(self.attackers), "attacker")


PEACE = Attacked()
COST = Attacked("cost of an attack")
"""What stands for all attacks where each unattacked arm is compared with each attacked one."""


class Family(NamedTuple):
    """One family of claims: arms of a dataset and partition by one question, attacked alike.

    With ``COST`` it is every unattacked arm beside every attacked one.
    """

    dataset: str
    partition: str
    question: str
    attacked: Attacked = PEACE


def attacks_on(runs: Iterable[Run], crossed: Mapping[str, CrossedArm]) -> dict[str, Attacked]:
    """Arm → who attacks it, of all arms that are attacked.

    The grid says it of arms that it crossed; of others, whose chain names attackers, the first
    record does that knows of some.
    """
    found: dict[str, Attacked] = {}
    for run in runs:
        if run.arm in crossed or run.arm in found:
            continue
        about = run.record and run.record.robustness
        if about and about.attackers:
            found[run.arm] = Attacked(about.attack or "attack", _asked(run) or about.attackers)
    made = {name: attacked_of(one) for name, one in crossed.items() if one.attack}
    return found | made


def attacked_of(arm: CrossedArm) -> Attacked:
    """Who attacks an arm that a grid crossed."""
    return Attacked(arm.attack or "", arm.attackers)


def _asked(run: Run) -> float | None:
    """The attackers that a run's settings ask for, a share or a number, which n does not change."""
    path = run.folder / paths.CONFIG
    try:
        asked = read_yaml(path)["chain"]["attackers"] if path.exists() else None
    except (MedflError, KeyError, TypeError):
        return None
    return asked if isinstance(asked, int | float) else None
