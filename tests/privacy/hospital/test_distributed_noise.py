"""Noise that hospitals add as whole numbers under masks."""

from __future__ import annotations

import logging
import math
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from federations import ALGORITHMS, Grouped, Normed, models
from hospitals import hospitals, link_of
from scipy import stats
from softmax import Softmax

from medfl.algorithms.fedavg import FedAvg
from medfl.chain import PARAMETERS, Part
from medfl.errors import MedflError
from medfl.privacy.accounting import skellam_epsilon
from medfl.privacy.hospital.rounding import choose_grid, largest_rounded, rounded_within
from medfl.privacy.skellam import skellam_numbers
from medfl.streams import torch_stream

SIZES = (8, 16, 12, 6, 10)
D = 111


def masked(algorithm="fedavg", params=None, masks=None, **settings):
    given = {"noise": "distributed", "max_grad_norm": 0.25, **(params or {})}
    links = {"secure_aggregation": masks or {}}
    return hospitals(algorithm, given, links, **{"sizes": SIZES, **settings})


def stream(number, client, what):
    return torch_stream(0, "link", "dp_hospital", what, number, client)


def test_rounds_by_hand():
    """Σ (clip(Δ)/s rounded + Skellam share) · s / 5, by numpy; the server gets it to the bit."""
    trainer = masked(params={"noise_multiplier": 0.6}, rounds=3)
    problem, step = Softmax(trainer), 2.0**-7
    # Rounding of 111 entries: 32² + 111/4 + 32 + √111/2 in steps of 2⁻⁷ is 6 % too long; in steps
    # of 2⁻⁹, 128² + 165.02, it is .5 %.
    assert largest_rounded(32, D) == pytest.approx(
        math.sqrt(1024 + 27.75 + 32 + math.sqrt(111) / 2)
    )
    step = 2.0**-9
    largest = math.sqrt(128**2 + 27.75 + 128 + math.sqrt(111) / 2)
    record = trainer.server.chain.record()["dp_hospital"]
    assert record["grid"] == choose_grid(0.25, D) == step
    assert record["sensitivity_after_rounding"] == pytest.approx(largest * step)
    # Three of five suffice, so each has a third of the variance, and five have 5/3 of it.
    assert record["threshold"] == 3
    assert record["noise_excess"] == pytest.approx(math.sqrt(5 / 3))
    variance = (0.6 * 128) ** 2 / 3
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            whole = np.zeros(D, np.int64)
            for k in range(5):
                move = problem.descend(x, problem.batches(k, number)) - x
                move *= min(1.0, 0.25 / np.sqrt((move**2).sum()))
                rounded = rounded_within(move / step, largest, stream(number, k, "rounding"))
                assert np.abs(rounded - move / step).max() < 1
                whole += rounded + skellam_numbers(D, variance, stream(number, k, "noise"))
            x = x + whole * step / 5
        assert np.abs(seen.numpy() - x).max() < 1e-12
    l1 = min(math.sqrt(D) * largest, largest**2)
    epsilon = skellam_epsilon((0.6 * 128) ** 2, l1, largest, 3, 1e-5)
    assert trainer.history[-1]["epsilon"] == pytest.approx(epsilon, rel=1e-12)
    assert trainer.history[-1]["outside_bound"] == 0.0


@pytest.mark.parametrize("name", ["fedavg", "fednova", "scaffold", "feddyn", "fedbn", "ditto"])
def test_with_local_layers_under_masks(name):
    """In one run: distributed noise, masks, and (FedBN) layers that never leave."""
    masks = {"bounds": {"a": 100.0}} if name == "fednova" else None
    trainer = masked(name, masks=masks, model=Normed if name == "fedbn" else Grouped, rounds=3)
    trainer.train()
    assert trainer.status == "completed"
    assert trainer.history[-1]["given_up"] == 0
    assert trainer.history[-1]["outside_bound"] == 0.0
    if name == "fedbn":
        assert all("local" in client.state for client in trainer.clients)
    if name == "scaffold":  # a hospital keeps what it sent, its share of the noise included
        c, own = trainer.server.algorithm.state["c"], [k.state["c"] for k in trainer.clients]
        assert torch.allclose(c, sum(own) / 5, rtol=0, atol=1e-12)
    assert trainer.server.chain.privacy()["noise"] == "distributed"


class OwnHeads(FedAvg):
    """FedAvg of the body; each hospital's head stays with it."""

    evaluated = "personal"
    sizes: ClassVar[list[dict[str, int]]] = []

    def local_names(self, model):
        return {name for name, _ in model.module.named_parameters() if name.startswith("head.")}

    def message(self, client, model, work):
        parts = super().message(client, model, work)
        self.sizes.append({name: part.value.numel() for name, part in parts.items()})
        return parts


def test_with_personal_heads_under_masks(monkeypatch):
    """In one run: distributed noise, masks, and heads of which no entry is sent."""
    monkeypatch.setitem(ALGORITHMS, "own_heads:OwnHeads", {})
    monkeypatch.setitem(sys.modules, "own_heads", SimpleNamespace(OwnHeads=OwnHeads))
    trainer = masked("own_heads:OwnHeads", model=Grouped, rounds=3)
    trainer.train()
    assert trainer.status == "completed"
    assert trainer.history[-1]["given_up"] == 0
    # A convolution of 4·9 + 4 entries and a group norm of 4 + 4; the head has 3·64 + 3.
    assert OwnHeads.sizes == [{PARAMETERS: 48, "statistics": 0}] * 5 * 3
    heads = [tuple(client.state["local"].tolist()) for client in trainer.clients]
    assert {len(head) for head in heads} == {195}
    assert len(set(heads)) == 5
    assert len(trainer.server.vector) == 48
    assert trainer.server.chain.privacy()["noise"] == "distributed"


def test_what_is_sent_is_whole_multiples_in_single_precision():
    """Beside a base of size 1000 the steps of 2⁻⁹ would lose their digits; weights are alike."""
    shares = link_of(masked("scaffold"))._plan.shares
    base, update = torch.full((D,), 1000.0), torch.full((D,), 2.0**-12)
    parts = {
        PARAMETERS: Part(base + update, 0.25, base),
        "delta_c": Part(torch.zeros(D), 1.0),
    }
    sums, generator = shares.sums(3.0, 1e-5), torch_stream(0, "test")
    sent = shares.noised(parts, {"delta_c": 3.0}, sums, lambda what: generator)
    for name, grid in ((PARAMETERS, shares.step), ("delta_c", shares.step / 3)):
        part = sent[name]
        steps = part.update.double().numpy() / grid
        assert part.grid == grid
        assert part.value.dtype == torch.float32
        assert np.abs(steps - np.rint(steps)).max() < 1e-3
        assert np.abs(steps).max() > 50
        assert part.weight == 1.0
    with pytest.raises(MedflError, match="333 entries, and the server sends only 222"):
        shares.noised(parts | {"more": parts["delta_c"]}, {}, sums, lambda what: generator)


def test_noise_of_the_sum_where_hospitals_drop_out(caplog):
    """With t of n left, the noise is what is accounted for; with fewer there is no sum."""
    trainer = masked(params={"noise_multiplier": 2.0}, rounds=40, learning_rate=1e-12)
    link, seen = link_of(trainer), []
    original = link.message
    link.message = lambda client, message: (
        None
        if (client.server.round <= 30 and client.id in (1, 3))
        or (client.server.round > 35 and client.id > 1)
        else original(client, message)
    )
    with caplog.at_level(logging.WARNING):
        seen = models(trainer)
    moved = np.diff(np.array([one.numpy() for one in seen]), axis=0) * 5 / (2.0 * 0.25)
    assert moved[:30].std() == pytest.approx(1.0, rel=0.03)
    assert moved[30:35].std() == pytest.approx(math.sqrt(5 / 3), rel=0.08)
    assert not moved[35:].any()
    assert stats.kstest(moved[:30].ravel() / moved[:30].std(), "norm").pvalue > 0.001
    assert trainer.history[-1]["given_up"] == 1
    assert link.state["releases"].tolist() == [40] * 5, "a round that is given up counts"


def test_rounds_that_budgets_leave_fewer_hospitals_in_keep_the_noise(caplog):
    """Four of five are asked, and t is 3. With this seed budgets leave three in round 4.

    Masks made for three would come off for two, with two shares of noise in place of three.
    """
    given = {"noise_multiplier": 2.0, "target_epsilon": 4.5}
    settings = {"clients_per_round": 4, "rounds": 5, "learning_rate": 1e-12, "seed": 7}
    trainer = masked(params=given, **settings)
    link, opened = link_of(trainer), {}
    original, message = link.open, link.message

    def open_round(number, clients):
        opened[number] = original(number, clients)
        return opened[number]

    def leave(client, sent):
        """Once there are three, the last of them drops out."""
        chosen = opened[client.server.round]
        return None if len(chosen) == 3 and client.id == chosen[-1] else message(client, sent)

    link.open, link.message = open_round, leave
    with caplog.at_level(logging.WARNING):
        seen = models(trainer)
    assert [len(chosen) for chosen in opened.values()] == [4, 4, 4, 3, 0]
    for number, chosen in opened.items():
        moved = (seen[number] - seen[number - 1]).numpy() * 4 / (2.0 * 0.25)
        if len(chosen) == 4:
            assert moved.std() == pytest.approx(math.sqrt(4 / 3), rel=0.2)
        else:
            assert not moved.any(), "two shares of three are too little noise"
    assert "0 clients" not in caplog.text, "that budgets are spent is said once"


def test_colluding_hospitals_leave_fewer_shares():
    trainer = masked(masks={"colluding": 1, "threshold": 4})
    record = trainer.server.chain.record()["dp_hospital"]
    assert (record["threshold"], record["colluding"]) == (4, 1)
    assert record["noise_share"] == pytest.approx(1 / math.sqrt(3))
    assert record["noise_excess"] == pytest.approx(math.sqrt(5 / 3))


def test_rounding_keeps_to_its_bound_and_to_the_mean():
    """A try is repeated until the norm is small enough; entries go up or down by less than one."""
    random = np.random.default_rng(0)
    values = random.normal(size=400)
    values *= 20 / np.sqrt((values**2).sum())
    largest = largest_rounded(20, 400)
    assert largest == pytest.approx(math.sqrt(400 + 100 + 20 + 10))
    generator = torch_stream(1, "test")
    drawn = np.array([rounded_within(values, largest, generator) for _ in range(4000)])
    assert np.sqrt((drawn**2).sum(axis=1)).max() <= largest
    free = np.floor(values + random.random((4000, 400)))
    assert np.sqrt((free**2).sum(axis=1)).max() > largest - 1, "so that some tries were repeated"
    assert np.abs(drawn - values).max() < 1
    assert np.abs(drawn.mean(axis=0) - values).max() < 0.06
    # A vector that cannot be rounded short is within (‖x‖ + √d).
    assert largest_rounded(1.0, 4) == pytest.approx(min(3.0, math.sqrt(1 + 1 + 1 + 1)))


@pytest.mark.parametrize("entries", [10, 1000, 100_000, 11_200_000])
def test_the_grid_adds_one_per_cent_at_most(entries):
    for bound in (0.3, 1.0, 7.0):
        step = choose_grid(bound, entries)
        assert math.log2(step).is_integer()
        assert largest_rounded(bound / step, entries) <= 1.01 * bound / step
        coarser = largest_rounded(bound / step / 2, entries)
        assert coarser > 1.01 * bound / step / 2 or step * 2 > bound


def test_numbers_that_could_leave_the_ring_are_refused():
    """z = 10⁶: (10⁶ · 128)²/3 is far beyond 2³¹ / 5 in steps."""
    with pytest.raises(MedflError) as error:
        masked(params={"noise_multiplier": 1e6})
    assert "a ring of 32 bits" in str(error.value)
    assert "take ring_bits: 64, less noise or a smaller network" in str(error.value)
    masked(params={"noise_multiplier": 1e6}, masks={"ring_bits": 64})


def test_noise_follows_from_the_budget_with_rounding_counted():
    trainer = masked(params={"noise_multiplier": None, "target_epsilon": 9.3}, rounds=50)
    sums = link_of(trainer)._plan.sums
    assert 4.0 < sums.noise < 4.1, "Gaussian noise would take 3.8 by the exact formula"
    assert sums.epsilon(50) <= 9.3


def test_fewer_than_three_hospitals_have_no_masks():
    with pytest.raises(MedflError, match="at least 3 must take part"):
        masked(sizes=(8, 16))
