"""The front: updates in, their weighted mean out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import medfl
from medfl import MedflError, SecureAggregator
from medfl.privacy.secure_aggregation import RoundAbortedError


def updates(d: int = 50, n: int = 5) -> dict[int, np.ndarray]:
    drawn = np.random.default_rng(0)
    return dict(enumerate(drawn.normal(0, 0.2, (n, d)).astype(np.float32)))


def test_the_mean_is_that_of_the_updates_within_n_steps():
    aggregator = SecureAggregator(clients=5, bound=0.5)
    sent, weights = updates(), {0: 700, 1: 50, 2: 212, 3: 1, 4: 90}
    mean, weight = aggregator.aggregate(sent, weights)
    plain = [np.clip(sent[i].astype(float), -0.5, 0.5) for i in range(5)]
    expected = np.average(plain, axis=0, weights=list(weights.values()))
    assert weight == 1053
    assert np.abs(mean - expected).max() <= 5 * (0.5 / 32767) / 1053
    assert aggregator.clipped[0] == (np.abs(sent[0]) > 0.5).mean()


def test_a_mean_of_updates_that_were_cut_is_warned_of(caplog):
    """By hand: of 50 coordinates one is 2 %, and none is warned of."""
    sent = {client: np.zeros(50) for client in range(5)}
    sent[1][0] = sent[4][7] = 2.0
    mean, _ = SecureAggregator(clients=5, bound=1.0).aggregate(sent)
    assert mean[0] == pytest.approx(0.2, abs=1e-3)  # and not 0.4
    assert [text for text in caplog.messages if "updates of 1, 4 were outside ± 1" in text]
    caplog.clear()
    SecureAggregator(clients=5, bound=2.0).aggregate(sent)
    assert caplog.messages == []


def test_the_sum_is_the_same_to_the_bit_whichever_keys_are_drawn():
    results = [SecureAggregator(5, seed=seed).aggregate(updates())[0] for seed in (3, 3, 4)]
    assert (results[0] == results[1]).all()
    assert (results[0] != results[2]).any(), "another seed rounds otherwise"


def test_clients_that_drop_out_leave_the_mean_of_the_others():
    aggregator = SecureAggregator(clients=5)
    sent = updates()
    left = {i: sent[i] for i in (0, 2, 4)}
    mean, weight = aggregator.aggregate(left)
    assert weight == 3
    expected = np.mean([sent[i].astype(float) for i in left], axis=0)
    assert np.abs(mean - expected).max() <= 3 / 32767 / 3
    with pytest.raises(RoundAbortedError, match="2 of 5 clients sent their masked vectors"):
        aggregator.aggregate({i: sent[i] for i in (0, 2)})
    assert aggregator.aggregate(sent)[1] == 5


def test_two_means_of_one_model_that_differ_by_one_client_are_refused():
    aggregator, sent, model = SecureAggregator(clients=4), updates(n=4), np.ones(50, np.float32)
    aggregator.aggregate(sent, model=model)
    with pytest.raises(RoundAbortedError, match="client 3 alone"):
        aggregator.aggregate({i: sent[i] for i in (0, 1, 2)}, model=model)
    aggregator.aggregate({i: sent[i] for i in (0, 1, 2)}, model=2 * model)


def test_it_takes_tensors():
    sent = {i: torch.from_numpy(update) for i, update in updates().items()}
    one, two = SecureAggregator(5), SecureAggregator(5)
    assert (one.aggregate(sent)[0] == two.aggregate(updates())[0]).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clients": 2}, "at least 3"),
        ({"clients": 17}, "sums may leave the ring"),
        ({"clients": 5, "colluding": 4}, "could hold one honest client alone"),
        ({"clients": 5, "threshold": 2}, "must be at least 3"),
        ({"clients": 5, "bound": 0.0}, "bound must be"),
    ],
)
def test_settings_that_do_not_protect_are_refused_at_once(settings, words):
    with pytest.raises(MedflError, match=words):
        SecureAggregator(**settings)


def test_bad_updates_are_refused_and_the_next_round_goes_on():
    aggregator, sent = SecureAggregator(clients=3), updates(n=3)
    wrong = sent[1].copy()
    wrong[7] = np.nan
    with pytest.raises(MedflError, match=r"NaN or infinite .* It is client 1's: leave it out"):
        aggregator.aggregate({**sent, 1: wrong})
    with pytest.raises(MedflError, match="there is no client 5; they are 0 to 2"):
        aggregator.aggregate({**sent, 5: sent[1]})
    with pytest.raises(MedflError, match="client 2 has 49 entries, and those before it have 50"):
        aggregator.aggregate({**sent, 2: sent[2][:-1]})
    with pytest.raises(MedflError, match="client 2 has no weight"):
        aggregator.aggregate(sent, {0: 1, 1: 1})
    assert aggregator.aggregate(sent)[1] == 3


def test_it_is_a_public_name():
    assert "SecureAggregator" in medfl.__all__


def test_the_pages_example_runs_as_written():
    page = (Path(__file__).parents[3] / "docs/secure-aggregation.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code[1], "secure-aggregation.md", "exec"), names)
    assert names["weight"] == 700 + 50 + 212 + 90
