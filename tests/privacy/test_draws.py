"""Poisson samples and noise: their distributions, which a shuffled pass would not have."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from private_runs import private
from scipy import stats

from medfl.chain import Drawn
from medfl.privacy.draws import normals, poisson_sample, uniforms
from medfl.streams import torch_stream

STEPS, RATE = 2000, 0.2


def generator(name):
    return None if name == "system" else torch_stream(7, "test")


def shuffled(count, steps, size):
    """What a loader does that says Poisson and shuffles: passes in batches of equal size."""
    random, found = np.random.default_rng(0), []
    while len(found) < steps:
        order = random.permutation(count)
        found += [np.isin(np.arange(count), part) for part in np.split(order, count // size)]
    return np.array(found[:steps])


def drawn_by_the_link(link, params=None):
    """Steps × units of client 1: whether each was drawn, in the engine's own descents."""
    trainer = private(
        "fedavg", link, {"noise_multiplier": 0.0, **(params or {})}, local_steps=STEPS
    )
    trainer.server.open(1)
    chain, client = trainer.server.chain, trainer.clients[1]
    chain.open(1, [0, 1, 2])
    batches = list(chain.batches(client, iter([client.rows[:4]] * STEPS), "train"))
    units = client.groups if link == "dp_patient" else torch.arange(len(client.rows))
    units = units.numpy()
    rows = client.rows.numpy()
    found = np.zeros((len(batches), units.max() + 1), bool)
    for step, batch in enumerate(batches):
        found[step, units[np.isin(rows, batch.numpy())]] = True
        whole = np.isin(units, units[np.isin(rows, batch.numpy())])
        assert np.array_equal(rows[whole], batch.numpy()), "all of a unit's images, or none"
    return found


def looks_poisson(drawn, rate):
    """The smallest p-value of what Poisson sampling means, with how many tests it is of.

    Sizes are binomial; each member's participations are; what one step draws says nothing about the
    next one; and two members come together as often as they should.
    """
    steps, count = drawn.shape
    sizes = drawn.sum(axis=1)
    expected = stats.binom.pmf(np.arange(count + 1), count, rate) * steps
    seen = np.bincount(sizes, minlength=count + 1)
    enough = expected >= 5
    pooled = [np.append(x[enough], x[~enough].sum()) for x in (seen, expected)]
    values = [stats.chisquare(*pooled).pvalue]
    values += [stats.binomtest(int(k), steps, rate).pvalue for k in drawn.sum(axis=0)]
    # Pairs of steps share a step with the next pair, so every second pair is taken.
    pairs = drawn[: steps // 2 * 2].reshape(-1, 2, count)
    again, of = int(pairs.all(axis=1).sum()), pairs.shape[0] * count
    values.append(stats.binomtest(again, of, rate**2).pvalue)
    together = int((drawn[:, 0] & drawn[:, 1]).sum())
    values.append(stats.binomtest(together, steps, rate**2).pvalue)
    return min(values) * len(values)


@pytest.mark.parametrize("source", ["key", "system"])
def test_poisson_samples_are(source):
    source = generator(source)
    members = torch.arange(20)
    drawn = [poisson_sample(RATE, members, source).numpy() for _ in range(STEPS)]
    assert looks_poisson(np.array(drawn), RATE) > 1e-6


def test_shuffling_would_be_noticed():
    """No bound on ε sees it; both the equal sizes and the passes do."""
    drawn = shuffled(20, STEPS, 4)
    assert drawn.mean() == RATE
    assert looks_poisson(drawn, RATE) < 1e-12


@pytest.mark.parametrize(("link", "rate"), [("dp_image", 4 / 20), ("dp_patient", 4 / 10)])
@pytest.mark.parametrize("secure", [False, True])
def test_the_engine_draws_poisson_samples_of_units(link, rate, secure):
    drawn = drawn_by_the_link(link, {"secure": secure})
    assert drawn.shape == (STEPS, 16 if link == "dp_image" else 10)
    assert looks_poisson(drawn, rate) > 1e-6


def test_streams_are_by_key():
    assert np.array_equal(drawn_by_the_link("dp_image"), drawn_by_the_link("dp_image"))
    assert not np.array_equal(*[drawn_by_the_link("dp_image", {"secure": True}) for _ in "ab"])
    trainer = private()
    trainer.server.open(1)
    link, client = trainer.server.chain.links[0], trainer.clients[1]
    link._gradients = SimpleNamespace(put=lambda *given: given[-1])  # gives the noise's generator
    seen = set()
    for number in (1, 2):
        trainer.server.round = number
        for purpose in ("train", "head"):
            for step in range(3):
                client.drawn = Drawn(client.rows, purpose, step)
                stream = link.gradient(client, trainer.server.model, None, None, None)
                seen.add(float(torch.rand(1, generator=stream)))
    assert len(seen) == 12


@pytest.mark.parametrize("source", ["key", "system"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_is_normal(source, dtype):
    drawn = normals(torch.zeros(301, 133, dtype=dtype), generator(source))
    assert drawn.shape == (301, 133)
    assert drawn.dtype == dtype
    assert stats.kstest(drawn.ravel().numpy(), "norm").pvalue > 1e-6
    # Both halves that a transform gives are independent of each other.
    half = drawn.numel() // 2
    first, second = drawn.ravel()[:half].numpy(), drawn.ravel()[half : 2 * half].numpy()
    assert stats.pearsonr(first, second).pvalue > 1e-6
    assert stats.pearsonr(first**2, second**2).pvalue > 1e-6


@pytest.mark.parametrize("source", ["key", "system"])
def test_uniforms(source):
    drawn = uniforms(20_000, generator(source)).numpy()
    assert stats.kstest(drawn, "uniform").pvalue > 1e-6
    assert drawn.min() >= 0
    assert drawn.max() < 1


def test_a_client_without_members_draws_none():
    assert len(poisson_sample(0.5, torch.zeros(0, dtype=torch.int64), None)) == 0
