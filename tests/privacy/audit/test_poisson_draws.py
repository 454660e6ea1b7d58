"""Tests of the draws: Poisson samples pass, what is drawn in another way is found out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from federations import small_store
from private_runs import private
from scipy.stats import kstest, norm
from torch import Tensor

from medfl.privacy.audit.poisson import poisson_tests
from medfl.privacy.audit.released import Released
from medfl.privacy.draws import poisson_sample
from medfl.streams import torch_stream

STEPS, UNITS, RATE = 40, 200, 0.1
FIELDS = ("rate", "sizes", "participations", "overlaps")


def shuffled(rng):
    """Passes over shuffled data, cut into ten equal batches."""
    found = np.zeros((STEPS, UNITS), bool)
    for step in range(STEPS):
        place = step % 10
        if not place:
            order = rng.permutation(UNITS)
        found[step, order[place * 20 : (place + 1) * 20]] = True
    return found


def of_one_size(rng):
    """Each time a random set of exactly qn units."""
    return np.stack([rng.permutation(UNITS) < RATE * UNITS for _ in range(STEPS)])


def the_same_each_time(rng):
    return np.repeat(rng.random((1, UNITS)) < RATE, STEPS, axis=0)


def in_turn(rng):
    """Each unit exactly four times, at random steps: the sizes still vary."""
    return np.stack([rng.permutation(STEPS) < RATE * STEPS for _ in range(UNITS)], axis=1)


def too_many(rng):
    return rng.random((STEPS, UNITS)) < 1.2 * RATE


@pytest.mark.parametrize(
    ("draw", "found_by"),
    [
        (shuffled, {"sizes", "participations", "overlaps"}),
        (of_one_size, {"sizes"}),
        (the_same_each_time, {"participations", "overlaps"}),
        (in_turn, {"participations"}),
        (too_many, {"rate"}),
    ],
)
def test_what_is_not_poisson_is_found_out(draw, found_by):
    found = poisson_tests([(draw(np.random.default_rng(1)), RATE)])
    assert {name for name in FIELDS if getattr(found, name) < 1e-4} >= found_by
    assert not found.passed


def test_p_values_of_poisson_samples_are_uniform():
    """So none is small more often than it says, but for what whole numbers and skewness do."""
    rng = np.random.default_rng(0)
    every = [
        poisson_tests([(rng.random((STEPS, UNITS)) < rate, rate) for rate in (0.4, 0.6)])
        for _ in range(600)
    ]
    for name in FIELDS:
        values = np.array([getattr(one, name) for one in every])
        assert kstest(values, "uniform").statistic < 0.07, name
        assert 0.02 < (values < 0.05).mean() < 0.08, name
    assert sum(not one.passed for one in every) <= 4  # .6 are expected


def test_the_variance_of_overlaps_by_hand():
    """One unit, q = .4. Two steps: E = .16, variance .16 · .84; one overlap is .84 above.

    Three steps: E = .32, variance 2 · .16 · .84 + 2 · (.064 − .0256); two overlaps are 1.68 above.
    """
    found = [poisson_tests([(np.ones((steps, 1), bool), 0.4)]).overlaps for steps in (2, 3)]
    z = [0.84 / 0.1344**0.5, 1.68 / 0.3456**0.5]
    assert found == pytest.approx([2 * norm.sf(one) for one in z])


def test_at_rate_one_everyone_must_be_there():
    everyone = np.ones((3, 4), bool)
    assert poisson_tests([(everyone, 1.0)]).passed
    everyone[1, 2] = False
    assert not poisson_tests([(everyone, 1.0)]).passed


def drawn_by(trainer):
    """What the clients of a run drew, each with the rate that is accounted for."""
    seen = Released(bool, each=True)
    trainer.server.chain.links.append(seen)
    trainer.train()
    accounted = trainer.server.chain.record()["dp_image"]["clients"]
    rows = {client.id: client.rows.numpy() for client in trainer.clients}
    return [
        (np.stack([np.isin(rows[k], some) for some in steps]), accounted[str(k)]["sampling_rate"])
        for k, steps in seen.drawn.items()
    ]


def trainer():
    return private(
        sizes=(40, 80, 60), store=small_store(220), rounds=2, local_steps=20, batch_size=8
    )


def test_the_link_draws_poisson_samples():
    draws = drawn_by(trainer())
    assert [(drawn.shape, rate) for drawn, rate in draws] == [
        ((40, 40), 0.2),
        ((40, 80), 0.1),
        ((40, 60), pytest.approx(8 / 60)),
    ]
    assert poisson_tests(draws).passed


def test_a_link_that_shuffles_is_found_out(monkeypatch):
    """Which no bound on ε sees: it gives back the batches that would be taken without it."""

    def given(rows: Iterator[Tensor], *_) -> Iterator[Tensor]:
        yield from rows

    monkeypatch.setattr("medfl.privacy.dp_sgd.steps.poisson_batches", given)
    found = poisson_tests(drawn_by(trainer()))
    assert found.sizes < 1e-20
    assert found.participations < 1e-20
    assert found.overlaps < 1e-20


def test_members_are_drawn_by_themselves():
    """The draw itself, 2,000 times: sizes and participations binomial, steps independent."""
    generator = torch_stream(0, "test")
    members = torch.arange(300)
    drawn = torch.stack([poisson_sample(0.03, members, generator) for _ in range(2000)])
    assert poisson_tests([(drawn.numpy(), 0.03)]).passed
