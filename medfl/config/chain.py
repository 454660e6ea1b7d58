"""The section `chain`: its links and rules are written in ``medfl/chain``."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from medfl.config.base import Section
from medfl.config.deciding import neutral

MOST_CLIENTS = 10**6


def share_or_number(value: float) -> float:
    """A share below 1 as it is, and a whole number of clients as an ``int``.

    Raises:
        ValueError: it is neither.
    """
    if not 0 <= value <= MOST_CLIENTS:
        raise ValueError(f"write a number from 0 to {MOST_CLIENTS:,}")
    if value >= 1 and not float(value).is_integer():
        raise ValueError("write a share below 1, or a whole number of clients")
    return int(value) if float(value).is_integer() else value


class ChainSettings(Section):
    """What happens to updates between a client's training and the server's step."""

    links: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="link → its parameters; their order follows from what each is for",
        json_schema_extra=neutral({}),
    )
    rule: str = Field(
        "sum",
        description="how the messages of a round are combined",
        json_schema_extra=neutral("sum"),
    )
    rule_params: dict[str, Any] = Field(
        default_factory=dict, description="the rule's parameters", json_schema_extra=neutral({})
    )

    attackers: int | float = Field(
        0,
        ge=0,
        description="how many clients attack: a share below 1 of all, rounded down, or a number; "
        "what they do is said by links such as sign_flip",
        json_schema_extra=neutral(0),
    )

    @field_validator("attackers")
    @classmethod
    def _whole_from_one_on(cls, attackers: float) -> float:
        return share_or_number(attackers)

    @field_validator("links", mode="before")
    @classmethod
    def _take_bare_names(cls, links: Any) -> Any:
        """`clip:` without parameters is null in YAML and means the defaults."""
        if links is None:
            return {}
        if isinstance(links, dict):
            return {name: {} if params is None else params for name, params in links.items()}
        return links
