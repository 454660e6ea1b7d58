"""What the record of a run says of attackers and of the rule that met them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medfl.robustness.attackers import choose_attackers
from medfl.robustness.attacks.base import Attack

if TYPE_CHECKING:
    from medfl.chain.roles import Server


def robustness_of(server: Server) -> dict[str, Any]:
    """Who attacks, how, and which rule combines; empty where nobody attacks a plain sum.

    The number of attackers is that of the federation, whoever of them takes part in a round.
    """
    config, chain = server.config, server.chain
    attackers = choose_attackers(config, server.data.clients)
    if not attackers and config.chain.rule == "sum":
        return {}
    names = [link.name for link in chain.links if isinstance(link, Attack)]
    root = chain.rule.root_patients
    return {
        "attackers": len(attackers),
        "share": len(attackers) / server.num_clients,
        "clients": attackers,
        "attack": names[0] if names and attackers else None,
        "rule": config.chain.rule,
        "pre_aggregation": getattr(chain.rule.params, "pre_aggregation", None),
        **({"root_patients": root} if root else {}),
    }
