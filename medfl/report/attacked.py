"""Who attacks an arm, and how: arms under one attack are compared with each other alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from medfl.chain.registry import LINKS
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
    record does that knows of some. What a run's settings say of the attack's strength stands in
    its name where one link attacks in several ways: two strengths are two attacks.
    """
    seen: dict[str, _Seen] = {}
    for run in runs:
        about = run.record and run.record.robustness
        if run.arm not in crossed and run.arm not in seen and about and about.attackers:
            seen[run.arm] = _look(run, about.attack or "attack", about.attackers)
    made = {name: attacked_of(one) for name, one in crossed.items() if one.attack}
    ways: dict[str, list[dict[str, Any]]] = {}
    for one in seen.values():
        met = ways.setdefault(one.attack, [])
        if one.strength not in met:
            met.append(one.strength)
    found = {
        arm: Attacked(one.attack + _apart(one.strength, ways[one.attack]), one.attackers)
        for arm, one in seen.items()
    }
    return found | made


def attacked_of(arm: CrossedArm) -> Attacked:
    """Who attacks an arm that a grid crossed."""
    return Attacked(arm.attack or "", arm.attackers)


class _Seen(NamedTuple):
    """What a run says of who attacks it: the link, with its parameters, and how many do."""

    attack: str
    strength: dict[str, Any]
    attackers: float


def _look(run: Run, attack: str, count: int) -> _Seen:
    """Read the settings of a run; where they cannot be read, its record has to do."""
    path = run.folder / paths.CONFIG
    try:
        chain = read_yaml(path)["chain"] if path.exists() else {}
    except (MedflError, KeyError, TypeError):
        chain = {}
    if not isinstance(chain, dict):
        chain = {}
    # A share or a number, which n does not change.
    asked = chain.get("attackers")
    links = chain.get("links")
    params = links.get(attack) if isinstance(links, dict) else None
    return _Seen(
        attack,
        _whole(attack, params if isinstance(params, dict) else {}),
        asked if isinstance(asked, int | float) and asked else count,
    )


def _whole(attack: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an attack, with its defaults where it is built in."""
    if attack not in LINKS:
        return dict(params)
    try:
        return LINKS.load(attack).Params(**params).model_dump(mode="json")
    except ValidationError:  # of an older version
        return dict(params)


def _apart(strength: Mapping[str, Any], ways: Sequence[Mapping[str, Any]]) -> str:
    """What tells this way from the others of the same link, such as `` scale 3``."""
    keys = dict.fromkeys(key for one in ways for key in one)
    differ = [key for key in keys if any(one.get(key) != ways[0].get(key) for one in ways)]
    return "".join(f" {key} {strength.get(key)}" for key in differ)
