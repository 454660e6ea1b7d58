"""The bound that follows a quantile, against a simulation in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from federations import models
from hospitals import hospitals, link_of
from softmax import Softmax, close

from medfl.chain import PARAMETERS
from medfl.errors import MedflError
from medfl.privacy.accounting import gaussian_epsilon
from medfl.privacy.hospital.adaptive import AdaptiveBound
from medfl.privacy.hospital.settings import AdaptiveClipping
from medfl.streams import torch_stream

SIZES = (8, 16, 12, 6, 10)


def drawn(*key):
    count = 1 if key[1] == "count" else 111
    generator = torch_stream(0, "link", "dp_hospital", *key)
    return torch.randn(count, generator=generator, dtype=torch.float64).numpy()


def test_rounds_by_hand():
    """Andrew et al., algorithm 1, written anew: noise on Σ Δ and on Σ (b − ½), then the bound."""
    z, eta, gamma, sigma_b = 0.8, 0.5, 0.6, 0.2 * 5
    adaptive = {"quantile": gamma, "learning_rate": eta, "bit_noise": 0.2}
    params = {"noise_multiplier": z, "max_grad_norm": 0.3, "adaptive": adaptive}
    trainer = hospitals(params=params, sizes=SIZES, rounds=6)
    problem = Softmax(trainer)
    z_delta = (z**-2 - (2 * sigma_b) ** -2) ** -0.5
    x, bound, bounds, counts = problem.start, 0.3, [], []
    for number, seen in enumerate(models(trainer)):
        if number:
            moves = [problem.descend(x, problem.batches(k, number)) - x for k in range(5)]
            lengths = [np.sqrt((move**2).sum()) for move in moves]
            total = sum(move * min(1, bound / n) for move, n in zip(moves, lengths, strict=True))
            x = x + (total + z_delta * bound * drawn(number, "noise", PARAMETERS)) / 5
            counts.append(sum(n <= bound for n in lengths))
            share = (counts[-1] - 2.5 + sigma_b * drawn(number, "count")[0]) / 5 + 0.5
            bounds.append(bound)
            bound = bound * math.exp(-eta * (share - gamma))
        assert close(seen, x)
    assert [row["update_bound"] for row in trainer.history[1:]] == pytest.approx(bounds, rel=1e-9)
    assert len(set(counts)) > 1
    assert trainer.server.chain.record()["dp_hospital"]["update_bound"] == pytest.approx(bound)
    assert trainer.server.chain.record()["dp_hospital"]["count_noise"] == 1.0


def test_both_releases_together_cost_what_the_noise_multiplier_says():
    """Gaussian releases add in 1/z²: of the updates 1/z_Δ², of the count (½/σ_b)²."""
    trainer = hospitals(
        params={"noise_multiplier": 2.0, "adaptive": {"bit_noise": 0.5}}, sizes=SIZES, rounds=4
    )
    trainer.train()
    plan = link_of(trainer)._plan
    squares = 1 / plan.update_noise**2 + (0.5 / plan.adaptive.count_deviation) ** 2
    exact = gaussian_epsilon(math.sqrt(4 * squares), 1e-5)
    assert trainer.history[-1]["epsilon"] == pytest.approx(exact, abs=1e-6)
    assert plan.update_noise == pytest.approx((0.25 - 1 / 25) ** -0.5)


def test_the_bound_comes_to_the_quantile():
    """Of 1,000 fixed norms, log-normal, the 80th percentile, from a start 100 times too large."""
    norms = np.random.default_rng(0).lognormal(0.0, 1.0, 1000)
    moving = AdaptiveBound(AdaptiveClipping(quantile=0.8, learning_rate=0.2), 1.0, 1000.0)
    assert moving.count_deviation == 50.0
    bound, random, last = 230.0, np.random.default_rng(1), []
    for _ in range(300):
        count = float((norms <= bound).sum() - 500) + random.normal(0, 50)
        bound = moving.next(bound, count)
        last.append(bound)
    assert np.mean(last[-100:]) == pytest.approx(np.quantile(norms, 0.8), rel=0.05)


def test_too_little_noise_on_the_count_is_refused():
    """2 σ_b must be above z: with 5 hospitals and z = 2, more than .2 of them."""
    with pytest.raises(MedflError, match=r"bit_noise 0\.2 of 5 hospitals .* set it above 0\.2\."):
        hospitals(params={"noise_multiplier": 2.0, "adaptive": {"bit_noise": 0.2}}, sizes=SIZES)
    hospitals(params={"noise_multiplier": 2.0, "adaptive": {"bit_noise": 0.21}}, sizes=SIZES)


def test_the_count_is_a_private_part_outside_the_norm():
    trainer = hospitals(params={"max_grad_norm": 0.1, "adaptive": {"bit_noise": 0.4}}, rounds=1)
    link, client = link_of(trainer), trainer.clients[0]
    for part in trainer.server.open(1).values():
        assert part is not None
    chosen = trainer.server.chain.open(1, [0, 1, 2])
    message, _ = client.train(trainer.server.model, trainer.server.open(1))
    sent = link.message(client, message)
    assert chosen == [0, 1, 2]
    assert sent.parts["unclipped"].value.tolist() == [-0.5]
    assert sent.parts["unclipped"].private
    assert float(torch.linalg.vector_norm(sent.parts[PARAMETERS].update)) == pytest.approx(0.1)
    assert sent.loss is None
    assert "clipped" not in sent.notes
