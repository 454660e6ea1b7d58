"""What the record of a run says of attackers and of the rule that met them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medfl.robustness.attackers import choose_attackers
from medfl.robustness.attacks.base import Attack

if TYPE_CHECKING:
    from medfl.chain.roles import Server


def robustness_of(server: Server) -> dict[str, Any]:
    """Who attacks, how, and which rule combines; empty where a plain sum is asked for, and nobody.

    The number of attackers is that of the federation, whoever of them takes part in a round; a
    share of the clients may come to none.
    """
    config, chain = server.config, server.chain
    attackers = choose_attackers(config, server.data.clients)
    if not config.chain.attackers and config.chain.rule == "sum":
        return {}
    attacks = [link for link in chain.links if isinstance(link, Attack)]
    strength = attacks[0].strength if attacks and attackers else None
    root, expects = chain.rule.root_patients, getattr(chain.rule, "bad", None)
    return {
        "attackers": len(attackers),
        "share": len(attackers) / server.num_clients,
        "clients": attackers,
        "attack": attacks[0].name if attacks and attackers else None,
        **({} if strength is None else {"strength": strength}),
        "rule": config.chain.rule,
        **({} if expects is None else {"expected_attackers": expects}),
        "pre_aggregation": getattr(chain.rule.params, "pre_aggregation", None),
        **({"root_patients": root} if root else {}),
    }


def attacks_that_are_none(server: Server) -> str:
    """Why nobody attacks though the settings speak of it, in words; empty where that is not so."""
    config = server.config
    attackers = choose_attackers(config, server.data.clients)
    names = [link.name for link in server.chain.links if isinstance(link, Attack)]
    share = config.chain.attackers
    if share and not attackers:
        return (
            f"nobody attacks: chain.attackers is {share:g}, which is none of {server.num_clients}"
        )
    if attackers and not names:
        return f"{len(attackers)} clients are attackers, but no link says what they do"
    if names and not attackers:
        return f"nobody attacks: chain has {names[0]}, but chain.attackers is 0"
    return ""
