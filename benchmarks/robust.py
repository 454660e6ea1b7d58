"""What a round of each robust rule costs the server, ÷ a plain mean of the same updates."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.secure_aggregation import LENGTH
from benchmarks.timing import Result, added, compare, cost
from medfl.chain import PARAMETERS, RULES, Message, Part, WeightedSum
from medfl.robustness.rule import KeptMessages, RobustRule

CLIENTS = (10, 100)
ATTACKERS = 0.2
LEFT_OUT = ("sum", "multi_krum", "fltrust")  # the reference; as Krum; trains at the server
ALONE = {"krum, nnm": ("krum", {"pre_aggregation": "nnm"})}


def run(pairs: int) -> Iterator[Result]:
    """Yield every rule ÷ the mean, for few clients and for many."""
    torch.set_num_threads(1)
    for clients in CLIENTS:
        yield from of_rules(clients, LENGTH, pairs)


def of_rules(clients: int, length: int, pairs: int) -> Iterator[Result]:
    """Every rule on the updates of so many clients, of so many parameters each.

    A rule's cost is that of keeping the updates, which all rules do alike, and of its total.
    """
    draw = torch.Generator().manual_seed(0)
    base = torch.randn(length, generator=draw)
    value = torch.empty(length)
    kept, mean = KeptMessages(rule_of("median", {}, clients)), WeightedSum()
    keeping = summing = cost(lambda: None)
    for client in range(clients):
        torch.randn(length, generator=draw, out=value).mul_(0.01).add_(base)
        message = Message(client, {PARAMETERS: Part(value, 1.0, base)}, 1.0, 0.0, 1, 1)
        keeping = added(keeping, cost(lambda m=message: kept.add(m)))
        summing = added(summing, cost(lambda m=message: mean.add(m)))
    summing = added(summing, cost(mean.total))
    parts = kept.parts
    rules = {word: (word, {}) for word in RULES if word not in LEFT_OUT} | ALONE
    for word, (name, params) in rules.items():
        rule = rule_of(name, params, clients)
        found = []
        for _ in range(pairs):
            spent = cost(lambda r=rule: r.total(parts))
            found.append((added(keeping, spent), summing))
        yield compare(f"{word}, {clients} × {length / 1e6:g} M ÷ mean", found, None)


def rule_of(name: str, params: dict[str, object], clients: int) -> RobustRule:
    """A rule that withstands a fifth of the clients, where it can: Bulyan needs 4f + 3."""
    f = min(int(ATTACKERS * clients), (clients - 3) // 4)
    rule = RULES.create(name, {**params, "withstands": f})
    assert isinstance(rule, RobustRule)
    return rule
