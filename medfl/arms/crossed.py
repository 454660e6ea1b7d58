"""The arms of a grid crossed with shares of attackers, attacks and rules."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medfl.algorithms.registry import ALGORITHMS
from medfl.chain.registry import LINKS, RULES
from medfl.config import CrossedArm, RobustnessAxes, did_you_mean
from medfl.errors import MedflError
from medfl.robustness.attackers import NotDefinedError
from medfl.robustness.attacks.base import Attack

if TYPE_CHECKING:
    from medfl.config import FederatedConfig
    from medfl.grid import Cell, GridConfig

Arm = dict[str, Any]
log = logging.getLogger(__name__)


def crossed_arms(
    axes: RobustnessAxes, arms: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, dict[str, Any]], dict[str, CrossedArm]]:
    """The arms that a grid asks for: ``fedavg``, ``fedavg+krum``, ``fedavg+krum+alie-0.2`` …

    Without attackers there is one arm for each rule, and under the sum it is the arm itself. Arms
    that exchange nothing, or whose chain names a rule or attackers, stay as they are.

    Args:
        axes: what they are crossed with.
        arms: name → settings.

    Returns:
        Name → settings of all arms, and of those that were crossed what they are made of.
    """
    for name in axes.arm_attacks.keys() - arms.keys():
        raise MedflError(
            f"robustness: arm_attacks names `{name}`, which is not in `arms`"
            + did_you_mean(name, arms)
        )
    _check_names(axes)
    found: dict[str, Arm] = {}
    crossed: dict[str, CrossedArm] = {}
    for name, arm in arms.items():
        chain = arm.get("chain") or {}
        alone = not ALGORITHMS.load(str(arm["algorithm"])).communicates
        if alone or chain.keys() & {"rule", "attackers"}:
            found[name] = arm
            continue
        for word, parts, change in _cells(axes, axes.arm_attacks.get(name, axes.attacks)):
            if name + word in crossed or (word and name + word in arms):
                raise MedflError(
                    f"robustness: two arms would be called `{name + word}`: give one of the arms, "
                    "rules, attacks or shares of attackers that it is made of another name."
                )
            links = {**(chain.get("links") or {}), **change.pop("links", {})}
            more = {"links": links} if links else {}
            found[name + word] = {**arm, "chain": {**chain, **change, **more}} if word else arm
            crossed[name + word] = CrossedArm(base=name, **parts)
    return found, crossed


def _check_names(axes: RobustnessAxes) -> None:
    """Refuse names that say something else than what they stand for, and attacks that are none."""
    for name, named in axes.rule_settings.items():
        if name in RULES and named.rule != name:
            raise MedflError(
                f"robustness: rule_settings gives {named.rule} the name of the rule `{name}`: "
                "choose another name."
            )
    for name, links in axes.attack_settings.items():
        if name in LINKS and name not in links:
            raise MedflError(
                f"robustness: attack_settings gives {', '.join(links)} the name of the link "
                f"`{name}`: choose another name."
            )
    for name in axes.attacks:
        for link in axes.attack_settings.get(name, {name: {}}):
            if link in LINKS and not issubclass(LINKS.load(link), Attack):
                raise MedflError(
                    f"robustness: `{link}` in `attacks` is no attack: nobody would do anything "
                    "wrong by it. Put it into the chain of each arm."
                )


def _cells(
    axes: RobustnessAxes, attacks: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What is added to an arm's name, what it is made of, and what is added to its chain."""
    for rule in axes.rules:
        named = axes.rule_settings.get(rule)
        met: dict[str, Any] = {"rule": rule}
        if named is not None:
            met = {"rule": named.rule, "rule_params": named.rule_params}
        for attackers in axes.attackers:
            if not attackers:
                yield ("" if rule == "sum" else f"+{rule}"), {"rule": rule}, _in_peace(axes, met)
                continue
            for attack in attacks:
                links = axes.attack_settings.get(attack, {attack: {}})
                chain = {**met, "attackers": attackers, "links": dict(links)}
                parts = {"rule": rule, "attack": attack, "attackers": attackers}
                yield f"+{rule}+{attack}-{attackers:g}", parts, chain


def _in_peace(axes: RobustnessAxes, met: dict[str, Any]) -> dict[str, Any]:
    """A rule as it stands where nobody attacks: ready for the most attackers of the grid.

    A rule that expected none would be a mean, and its cost would not be that of a defence.
    """
    params = met.get("rule_params", {})
    asked = "withstands" in RULES.load(met["rule"]).Params.model_fields
    if not asked or "withstands" in params or not any(axes.attackers):
        return dict(met)
    return {**met, "rule_params": {**params, "withstands": max(axes.attackers)}}


def not_defined(grid: GridConfig) -> dict[str, str]:
    """Which of the grid's arms are not defined for its clients: name → why.

    ALIE has no positive z for some n and f, and a rule withstands so many attackers and no more.
    Such an arm is named in the log.

    Raises:
        MedflError: none of the grid's arms is defined.
    """
    firsts: dict[str, list[Cell]] = defaultdict(list)
    for cell in grid.cells():
        if cell.seed == grid.seeds[0]:
            firsts[cell.arm].append(cell)
    found = {name: reason for name in grid.arms if (reason := _why_not(grid, firsts[name]))}
    for name, reason in found.items():
        log.warning("not defined here and left out: %s (%s)", name, reason)
    if len(found) == len(grid.arms):
        first = grid.arms[0]
        raise MedflError(
            f"`robustness`: no arm is defined here; {first} is not, since {found[first]}."
        )
    return found


def _why_not(grid: GridConfig, cells: Sequence[Cell]) -> str:
    for cell in cells:
        try:
            _check(grid.run_config(cell))
        except NotDefinedError as error:
            return error.reason
    return ""


def _check(config: FederatedConfig) -> None:
    """Let the rule and the links say what is not defined; other mistakes are found later."""
    algorithm = ALGORITHMS.load(config.federated_learning.algorithm)
    try:
        rule = RULES.create(config.chain.rule, config.chain.rule_params)
        links = [LINKS.create(name, params) for name, params in config.chain.links.items()]
        rule.check(config, algorithm)
        for link, name in zip(links, config.chain.links, strict=True):
            link.name = name
            link.check(config, algorithm, links)
    except NotDefinedError:
        raise
    except MedflError:
        return
