"""The table that shows what bucketing brings, on scikit-learn's digits instead of MNIST.

``python -m benchmarks.bucketing`` writes the table of docs/robustness.md (three minutes).
Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR
2022, table 2, train a CNN by one gradient step a round: 20 honest clients hold all samples, sorted
by label, and 5 attackers random shares of the same size. Here attacks and rules are medfl's own,
and the loop around them is plain PyTorch. What differs from the paper: the images (8 × 8), a
network of one hidden layer, a learning rate of 0.1, a clipping radius that is the median norm of a
round's updates (at 10 nothing is ever clipped here), and a geometric median that has converged.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from medfl.chain import LINKS, PARAMETERS, RULES, Message, Part
from medfl.robustness.attacks.base import Attack

CLIENTS, ATTACKERS, CLASSES = 25, 5, 10
HONEST = CLIENTS - ATTACKERS
STEPS, BATCH, LEARNING_RATE = 600, 32, 0.1
TEST = 5  # every fifth sample of each class
ATTACKS: Mapping[str, dict[str, Any]] = {
    "mimic": {},
    "ipm": {"scale": 0.1},
    "label_flip": {},
    "sign_flip": {},
}
RULE_NAMES = ("sum", "median", "centred_clipping", "geometric_median", "krum")


@dataclass(frozen=True)
class Digits:
    """What each client trains on, and what tests.

    Attributes:
        images, labels: (25, m, 64) between 0 and 1, and (25, m); the attackers are the last.
        test, test_labels: (n, 64) and (n,).
    """

    images: Tensor
    labels: Tensor
    test: Tensor
    test_labels: Tensor


@cache
def digits() -> Digits:
    """Every fifth sample tests; the others are cut into a piece for each honest client."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.tensor(found.data, dtype=torch.float32) / 16
    labels = torch.tensor(found.target)
    order = labels.argsort(stable=True)
    held = torch.arange(len(order)) % TEST == 0
    train, test = order[~held], order[held]
    pieces = train[: len(train) // HONEST * HONEST].reshape(HONEST, -1)
    mixed = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))]
    rows = torch.cat([pieces, mixed[: ATTACKERS * pieces.shape[1]].reshape(ATTACKERS, -1)])
    return Digits(images[rows], labels[rows], images[test], labels[test])


def accuracy(attack: str, rule: str, bucketing: bool, seed: int, steps: int = STEPS) -> float:
    """Test accuracy after training under an attack, by a rule without or with bucketing."""
    data = digits()
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, CLASSES)
    )
    names, shapes = zip(*((n, p.shape) for n, p in network.named_parameters()), strict=True)
    at = torch.nn.utils.parameters_to_vector(network.parameters()).detach()

    def answers(vector: Tensor, images: Tensor) -> Tensor:
        parts = vector.split([shape.numel() for shape in shapes])
        named = {n: p.view(s) for n, p, s in zip(names, parts, shapes, strict=True)}
        return functional_call(network, named, (images,))

    def loss(vector: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(answers(vector, images), labels)

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))
    draw = torch.Generator().manual_seed(seed)
    link = LINKS.create(attack, ATTACKS[attack])
    assert isinstance(link, Attack)
    link.attackers = frozenset(range(HONEST, CLIENTS))
    labels = data.labels.clone()
    if attack == "label_flip":
        labels[HONEST:] = CLASSES - 1 - labels[HONEST:]
    combine = RULES.create(rule, _params(rule, bucketing))
    combine.seed = seed
    clients = torch.arange(CLIENTS)[:, None]
    for number in range(1, steps + 1):
        rows = torch.randint(data.labels.shape[1], (CLIENTS, BATCH), generator=draw)
        steps_of = -LEARNING_RATE * gradients(at, data.images[clients, rows], labels[clients, rows])
        messages = [
            Message(client, {PARAMETERS: Part(at + step, 1 / CLIENTS, at)}, 1.0, 0.0, 1, 1)
            for client, step in enumerate(steps_of)
        ]
        combine.round = number
        combination = combine.start()
        sent = [link.message(SimpleNamespace(id=one.client), one) for one in messages]
        for message in link.together(number, sent):
            combination.add(message)
        at = combination.total()[PARAMETERS].mean.to(at.dtype)
    said = answers(at, data.test).argmax(dim=1)
    return float((said == data.test_labels).double().mean())


def _params(rule: str, bucketing: bool) -> dict[str, Any]:
    if rule == "sum":
        return {}
    return {"withstands": ATTACKERS, **({"pre_aggregation": "bucketing"} if bucketing else {})}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.bucketing")
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    begun = time.monotonic()
    print(f"| attack | {' | '.join(RULE_NAMES)} |\n|---|{'---|' * len(RULE_NAMES)}")
    for attack in ATTACKS:
        cells = []
        for rule in RULE_NAMES:
            ways = (False,) if rule == "sum" else (False, True)
            found = [fmean(accuracy(attack, rule, way, seed) for seed in seeds) for way in ways]
            cells.append(" / ".join(f"{100 * mean:.0f}" for mean in found))
        print(f"| {attack} | {' | '.join(cells)} |", flush=True)
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
