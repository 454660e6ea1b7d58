"""Rounds with hospital-level privacy, against numpy and against plain rounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from chains import build, composing, runs_alike
from federations import Grouped, Normed, models
from hospitals import hospitals, link_of
from links import watch
from scipy import stats
from softmax import Softmax, close

from medfl.chain import PARAMETERS, Message, NotFiniteError, Part
from medfl.privacy import norms
from medfl.privacy.hospital import link as link_module
from medfl.streams import torch_stream

D = 111  # parameters of the linear network


def noise(number, name, count, seed=0):
    """Standard normal numbers of the stream that the link has for this round and part."""
    generator = torch_stream(seed, "link", "dp_hospital", number, "noise", name)
    return torch.randn(count, generator=generator, dtype=torch.float64).numpy()


def clip(update, bound):
    return update * min(1.0, bound / np.sqrt((update**2).sum()))


def test_two_hospitals_by_hand():
    """x ← x + (Σ clip(Δ) + N(0, (zC)²)) / 2, worked out by numpy; one is clipped, one is not."""
    params = {"noise_multiplier": 0.7, "max_grad_norm": 0.25}
    trainer = hospitals(params=params, sizes=(8, 16), rounds=3)
    problem, clipped = Softmax(trainer), []
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            moves = [problem.descend(x, problem.batches(k, number)) - x for k in range(2)]
            clipped += [bool(np.sqrt((move**2).sum()) > 0.25) for move in moves]
            total = sum(clip(move, 0.25) for move in moves)
            x = x + (total + 0.7 * 0.25 * noise(number, PARAMETERS, D)) / 2
        assert close(seen, x)
    assert set(clipped) == {True, False}
    assert [row["update_bound"] for row in trainer.history[1:]] == [0.25] * 3
    assert [row["train_loss"] for row in trainer.history[1:]] == [None] * 3


def test_scaffold_by_hand():
    """One norm over Δ and 2 Δc, whose noise is half as large; c moves by all N hospitals' Δc."""
    params = {"noise_multiplier": 0.5, "max_grad_norm": 0.3, "scales": {"delta_c": 0.5}}
    trainer = hospitals("scaffold", params, sizes=(8, 16), rounds=2)
    problem, own = Softmax(trainer), [np.zeros(D), np.zeros(D)]
    x, c = problem.start, np.zeros(D)
    for number, seen in enumerate(models(trainer)):
        if number:
            sums = {PARAMETERS: np.zeros(D), "delta_c": np.zeros(D)}
            for k in range(2):
                correction = c - own[k]
                y = problem.descend(
                    x, problem.batches(k, number), correction=lambda _, by=correction: by
                )
                # Option II: the mean gradient of three steps at rate .1, less the correction.
                delta = own[k] - c + (x - y) / 0.3 - own[k]
                length = math.sqrt(((y - x) ** 2).sum() + 0.25 * (delta**2).sum())
                factor = min(1.0, 0.3 / length)
                sums[PARAMETERS] += (y - x) * factor
                sums["delta_c"] += delta * factor
                own[k] = own[k] + delta * factor
            sums[PARAMETERS] += 0.5 * 0.3 * noise(number, PARAMETERS, D)
            sums["delta_c"] += 0.5 * 0.3 / 0.5 * noise(number, "delta_c", D)
            x, c = x + sums[PARAMETERS] / 2, c + sums["delta_c"] / 2
        assert close(seen, x)
    assert close(trainer.server.algorithm.state["c"], c)
    for client, variate in zip(trainer.clients, own, strict=True):
        assert close(client.state["c"], variate), "a hospital keeps what it sent, without the noise"


@pytest.mark.parametrize("clients_per_round", [None, 2])
@pytest.mark.parametrize("name", composing("dp_hospital"))
def test_without_noise_and_below_the_bound_it_is_the_plain_run(
    name, clients_per_round, monkeypatch
):
    """The whole path is taken: every update is scaled by 1 − 1e-14, and zeros are the noise."""
    scaled = []

    def just_below(parts, norm, bound):
        scaled.append(norm)
        return norms.bounded(parts, norm, norm * (1 - 1e-14))

    monkeypatch.setattr(link_module, "bounded", just_below)
    params = {"noise_multiplier": 0.0, "max_grad_norm": 1e9}
    shared = {"model": Normed, "clients_per_round": clients_per_round}
    plain = {"local_steps": 3, "weighting": "uniform", **shared}
    runs_alike(
        build(name, {"links": {"links:Public": {}}}, **plain),
        hospitals(name, params, **shared),
        atol=1e-12,
    )
    assert len(scaled) == 3 * (clients_per_round or 3)
    assert min(scaled) > 0


def test_a_sum_is_divided_by_the_hospitals_that_are_expected():
    """One of three drops out: the other two updates are divided by 3, and not by 2."""
    params = {"noise_multiplier": 0.0, "max_grad_norm": 1e9}
    trainer = hospitals(params=params, rounds=1)
    problem, original = Softmax(trainer), link_of(trainer).message
    link_of(trainer).message = lambda client, message: (
        None if client.id == 1 else original(client, message)
    )
    x = problem.start
    moves = [problem.descend(x, problem.batches(k, 1)) - x for k in (0, 2)]
    assert close(models(trainer)[1], x + sum(moves) / 3)


def test_an_update_that_is_not_finite_is_not_bounded():
    """min(1, C/‖NaN‖) would be 1. 1e200 is finite, and its square is not."""
    trainer = hospitals(rounds=1)
    link = link_of(trainer)
    link.open(1, [0, 1, 2])
    trainer.server.round = 1
    for value in (math.nan, math.inf, -math.inf, 1e200):
        part = Part(torch.tensor([1.0, value], dtype=torch.float64), 1.0)
        message = Message(0, {PARAMETERS: part}, 1.0, 0.0, 1, 1)
        with pytest.raises(NotFiniteError, match="norm of its update is not finite"):
            link.message(trainer.clients[0], message)


def test_the_noise_has_the_deviation_that_is_accounted_for():
    """Where nobody moves, the server's steps are N(0, (zC/m)²), in each part by its scale."""
    params = {"noise_multiplier": 3.0, "max_grad_norm": 0.5, "scales": {"delta_c": 4.0}}
    trainer = hospitals("scaffold", params, rounds=60, learning_rate=1e-12)
    link, steps = link_of(trainer), []
    original = link.close
    link.close = lambda *given: steps.append(original(*given)) or steps[-1]
    trainer.train()
    moved = torch.cat([one[PARAMETERS].update / one[PARAMETERS].weight for one in steps])
    control = torch.cat([one["delta_c"].mean for one in steps])
    # The first round's Δc is a gradient, and clipped; later ones are made of noise.
    assert stats.kstest(moved.numpy() / (3 * 0.5 / 3), "norm").pvalue > 0.01
    assert float(control.std()) == pytest.approx(3 * 0.5 / 3 / 4, rel=0.2)
    assert abs(np.corrcoef(moved[:-1], moved[1:])[0, 1]) < 0.04, "no round repeats another's noise"
    assert not torch.equal(steps[0][PARAMETERS].update, steps[1][PARAMETERS].update)


def test_hospitals_are_drawn_by_chance_each_by_itself():
    """Sizes of rounds and participations of a hospital are binomial; rounds are independent."""
    count, rounds, rate = 40, 1500, 0.3
    trainer = hospitals(params={"sampling_rate": rate}, sizes=(2,) * count, rounds=2)
    link = link_of(trainer)
    link._plan.attendance.__dict__["limit"] = rounds  # more than are planned
    drawn = np.zeros((rounds, count), bool)
    for number in range(rounds):
        drawn[number, link.open(number, list(range(count)))] = True
    sizes, times = drawn.sum(axis=1), drawn.sum(axis=0)
    assert sizes.var() == pytest.approx(count * rate * (1 - rate), rel=0.15)
    assert sizes.mean() == pytest.approx(count * rate, rel=0.03)
    edges = stats.binom.ppf([1e-5, 1 - 1e-5], rounds, rate)
    assert edges[0] < times.min() < times.max() < edges[1]
    repeated = (drawn[1:] & drawn[:-1]).mean()
    assert repeated == pytest.approx(rate**2, abs=0.01)
    assert set(link.state["releases"].tolist()) == {rounds}, "a draw counts for all hospitals"


def test_where_nobody_is_drawn_the_noise_is_released_all_the_same():
    """A hospital stands in with zeros, as an unchanged model would say that nobody was drawn."""
    trainer = hospitals("scaffold", {"sampling_rate": 1e-6, "noise_multiplier": 2.0}, rounds=2)
    sent = watch(trainer)
    seen = models(trainer)
    for number in (1, 2):
        moved = (seen[number] - seen[number - 1]).numpy() * 3e-6
        assert np.allclose(moved, 2.0 * noise(number, PARAMETERS, D), rtol=1e-6)
        assert list(sent[number]) == [0]
        assert all(float(part.update.abs().sum()) == 0 for part in sent[number][0].parts.values())
    assert float(trainer.clients[0].state["c"].abs().max()) == 0


@pytest.mark.parametrize("name", ["fedavg", "fedbn", "finetune"])
def test_local_layers_stay_out_of_the_norm(name):
    """What stays with a hospital is part of the protected unit, and neither sent nor noised."""
    trainer = hospitals(name, {"max_grad_norm": 0.1}, model=Normed if name == "fedbn" else Grouped)
    sent = watch(trainer)
    trainer.train()
    assert trainer.status == "completed"
    for message in sent[1].values():
        squares = [float(part.update.square().sum()) for part in message.parts.values()]
        assert math.sqrt(sum(squares)) <= 0.1 * (1 + 1e-9)
    if name == "fedbn":
        assert all("local" in client.state for client in trainer.clients)


def test_what_is_secure_cannot_be_repeated():
    one, other = (hospitals(params={"secure": True}, rounds=1) for _ in range(2))
    assert not torch.equal(models(one)[1], models(other)[1])
    assert "not to be repeated" in one.server.chain.record()["dp_hospital"]["randomness"]
    again = [models(hospitals(rounds=1))[1] for _ in range(2)]
    assert torch.equal(*again)
