"""The section `robustness` of a grid: shares of attackers, attacks and rules that are crossed."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator, model_validator

from medfl.config.base import Section, check_distinct
from medfl.config.chain import share_or_number

Attackers = int | float


class NamedRule(Section):
    """A rule of combination under a name of its own."""

    rule: str = Field(description="as in `chain`")
    rule_params: dict[str, Any] = Field(default_factory=dict)


class CrossedArm(Section):
    """What an arm of a crossed grid is made of."""

    base: str = Field(description="the arm that was crossed")
    rule: str = Field(description="as in `rules`")
    attack: str | None = Field(None, description="as in `attacks`; null: nobody attacks")
    attackers: Attackers = Field(0, description="as in `attackers`")
    not_defined: str = Field("", description="why there is no such run for the grid's clients")


class RobustnessAxes(Section):
    """Every arm is crossed with these; an arm whose chain names a rule or attackers stays alone."""

    attackers: list[Attackers] = Field(
        min_length=1, description="shares of the clients below 1, or whole numbers; 0: no attack"
    )
    attacks: list[str] = Field(
        default_factory=list, description="links, or names of `attack_settings`"
    )
    rules: list[str] = Field(
        default_factory=lambda: ["sum"],
        min_length=1,
        description="rules, or names of `rule_settings`",
    )
    arm_attacks: dict[str, list[str]] = Field(
        default_factory=dict, description="an arm → its attacks, where they are not all of them"
    )
    attack_settings: dict[str, dict[str, dict[str, Any] | None]] = Field(
        default_factory=dict, description="name → link → its parameters"
    )
    rule_settings: dict[str, NamedRule] = Field(
        default_factory=dict, description="name → a rule with parameters"
    )
    crossed: dict[str, CrossedArm] = Field(
        default_factory=dict,
        description="filled when the grid is read: each arm that was crossed, and what it is made "
        "of; a grid that has it is not crossed again",
    )

    @field_validator("attackers")
    @classmethod
    def _shares_or_numbers(cls, values: list[Attackers]) -> list[Attackers]:
        return [share_or_number(value) for value in values]

    @field_validator("attackers", "attacks", "rules")
    @classmethod
    def _each_once(cls, values: list[Any]) -> list[Any]:
        check_distinct(values)
        return values

    @field_validator("attack_settings", "rule_settings")
    @classmethod
    def _part_of_a_name(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in values:
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
                raise ValueError(
                    f"`{name}` becomes a part of arms' names: write letters, digits, `_`, `.`, `-`"
                )
        return values

    @field_validator("attack_settings")
    @classmethod
    def _one_link_each(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name, links in values.items():
            if len(links) != 1:
                raise ValueError(f"{name} must hold one link with its parameters")
        return values

    @model_validator(mode="after")
    def _attackers_do_something(self) -> RobustnessAxes:
        for arm, attacks in self.arm_attacks.items():
            if unknown := [name for name in attacks if name not in self.attacks]:
                raise ValueError(f"arm_attacks of {arm}: {unknown[0]} is not in `attacks`")
        if any(self.attackers) and not self.attacks:
            raise ValueError("say in `attacks` what the attackers do")
        if self.attacks and not any(self.attackers):
            raise ValueError("say in `attackers` how many clients attack")
        return self
