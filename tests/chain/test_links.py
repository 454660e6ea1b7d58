"""Norm clipping, stochastic quantisation and the coordinate-wise median, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import ALGORITHMS, Linear, Normed, comparable, federation, models
from links import watch
from softmax import Softmax, close

from medfl.chain import PARAMETERS, Message, Part, registry
from medfl.compression.quantize import StochasticQuantization
from medfl.errors import MedflError
from medfl.privacy.clip import NormClipping
from medfl.robustness.median import CoordinateMedian, median

FEDERATED = sorted(set(ALGORITHMS) - {"local", "centralized"})
LINKS = {
    "clip": {"links": {"clip": {"norm": 0.05}}},
    "quantize": {"links": {"quantize": {"bits": 8}}},
    "median": {"rule": "median"},
}


def test_every_link_and_rule_is_in_this_suite():
    """The sum is left out, because every other federation of the tests uses it."""
    links = {word for chain in LINKS.values() for word in chain.get("links", {})}
    rules = {chain["rule"] for chain in LINKS.values() if "rule" in chain}
    assert links == set(registry.LINKS)
    assert rules == set(registry.RULES) - {"sum"}


def build(name, chain=None, **settings):
    return federation(name.split("-")[0], ALGORITHMS[name], chain=chain or {}, **settings)


def runs_alike(one, other, atol=0.0):
    for a, b in zip(models(one), models(other), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=atol)
    assert torch.allclose(one.server.buffers, other.server.buffers, rtol=0, atol=atol)


@pytest.mark.parametrize("chain", sorted(LINKS))
@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_algorithm_composes_or_says_why_not(name, chain):
    """A composed link changes the run, but neither its steps nor its first training loss."""
    settings = {"model": Normed, "sizes": (5, 16, 11, 8), "clients_per_round": 3}
    if name in ("local", "centralized"):
        with pytest.raises(MedflError, match=rf"{name} exchanges nothing, so `{chain}`"):
            build(name, LINKS[chain], **settings)
        return
    plain, linked = build(name, **settings), build(name, LINKS[chain], **settings)
    plain.train(), linked.train()
    assert linked.status == "completed"
    assert not torch.equal(plain.server.vector, linked.server.vector)
    for row, other in zip(linked.history[1:], plain.history[1:], strict=True):
        assert row["steps"] == other["steps"]
    assert linked.history[1]["train_loss"] == plain.history[1]["train_loss"]
    assert float(linked.server.buffers[4:].min()) > 0 if name != "fedbn" else True


# Strength zero.


@pytest.mark.parametrize(
    "chain",
    [
        {"links": {}, "rule": "sum"},
        {"links": {"clip": {"norm": None}, "quantize": {"bits": None}}},
        {"links": {"clip": {"norm": 1e9}}},
    ],
)
@pytest.mark.parametrize("name", FEDERATED)
def test_at_strength_zero_a_link_steps_aside(name, chain):
    plain, idle = build(name, model=Normed), build(name, chain, model=Normed)
    runs_alike(plain, idle)
    assert all(
        {**row, "clipped": 0.0} == {**other, "clipped": 0.0}
        for row, other in zip(comparable(plain.history), comparable(idle.history), strict=True)
    )


@pytest.mark.parametrize("name", FEDERATED)
def test_a_bound_at_the_norm_itself_changes_nothing_through_the_whole_path(name, monkeypatch):
    """The bound lies just below each norm, so every update is scaled by 1 − 1e-14."""
    original, scaled = NormClipping.message, []

    def at_the_norm(self, client, message):
        norm = sum(float(p.update.square().sum()) for p in message.parts.values() if p.private)
        self.params = NormClipping.Params(norm=norm**0.5 * (1 - 1e-14))
        before = dict(message.parts)
        changed = original(self, client, message)
        scaled.append(changed.parts[PARAMETERS] is not before[PARAMETERS])
        return changed

    monkeypatch.setattr(NormClipping, "message", at_the_norm)
    runs_alike(
        build(name, model=Normed), build(name, {"links": {"clip": {}}}, model=Normed), atol=1e-12
    )
    assert all(scaled)
    assert len(scaled) == 9


@pytest.mark.parametrize("name", FEDERATED)
def test_very_many_levels_change_nothing_through_the_whole_path(name):
    fine = build(name, {"links": {"quantize": {"bits": 52}}}, model=Normed)
    runs_alike(build(name, model=Normed), fine, atol=1e-12)


def test_one_client_has_the_median_of_itself():
    one = build("fedavg", {"rule": "median"}, sizes=(8,), model=Normed)
    runs_alike(build("fedavg", sizes=(8,), model=Normed), one, atol=1e-12)


# Clipping.


def test_clipping_by_hand():
    """One norm over (3, 0) − (1, 0) and (4): √(2² + 4²); the public part stays."""
    link = NormClipping(norm=1.0)
    parts = {
        "a": Part(torch.tensor([3.0, 0.0]), 2.0, torch.tensor([1.0, 0.0])),
        "b": Part(torch.tensor([4.0]), 5.0),
        "c": Part(torch.tensor([100.0]), 1.0, private=False),
    }
    message = link.message(None, Message(0, dict(parts), 1.0, 0.0, 1, 1))
    length = 20**0.5
    assert message.parts["a"].value.tolist() == pytest.approx([1 + 2 / length, 0.0])
    assert message.parts["b"].value.tolist() == pytest.approx([4 / length])
    assert message.parts["c"] is parts["c"]
    assert [part.weight for part in message.parts.values()] == [2.0, 5.0, 1.0]
    assert message.notes == {"clipped": 1.0}
    assert parts["a"].value.tolist() == [3.0, 0.0], "the client's own vector is not changed"
    kept = link.message(None, Message(0, {"b": Part(torch.tensor([0.5]), 1.0)}, 1.0, 0.0, 1, 1))
    assert kept.parts["b"].value.item() == 0.5
    assert kept.notes == {"clipped": 0.0}


def test_rounds_with_clipping():
    trainer = build("fedavg", {"links": {"clip": {"norm": 0.2}}}, rounds=3, clients_per_round=2)
    problem = Softmax(trainer)
    x, shares = problem.start, []
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen, moves = problem.participants(number), []
            for k in chosen:
                move = problem.descend(x, problem.batches(k, number)) - x
                length = np.sqrt((move**2).sum())
                shares.append(float(length > 0.2))
                moves.append(move * min(1, 0.2 / length))
            x = x + problem.share(chosen) @ np.array(moves)
        assert close(seen, x)
    assert [row["clipped"] for row in trainer.history[1:]] == [
        (shares[2 * k] + shares[2 * k + 1]) / 2 for k in range(3)
    ]
    assert any(shares)


# Quantisation.


def quantized(values, bits, seed):
    link = StochasticQuantization(bits=bits)
    link.name, link.seed = "quantize", seed
    part = Part(torch.tensor(values, dtype=torch.float64), 1.0)
    client = type("Client", (), {"id": 0, "server": type("Server", (), {"round": 1})})
    return link.message(client, Message(0, {"a": part}, 1.0, 0.0, 1, 1)).parts["a"]


def test_levels_by_hand():
    """3 bits: step 6/3 = 2; 3 becomes 2 or 4, −5 becomes −4 or −6; 6, −2 and 0 are levels."""
    seen = {tuple(quantized([6.0, 3.0, -5.0, -2.0, 0.0], 3, s).value.tolist()) for s in range(50)}
    assert seen == {(6.0, up, down, -2.0, 0.0) for up in (2.0, 4.0) for down in (-4.0, -6.0)}
    assert quantized([6.0, 3.0, -5.0, -2.0, 0.0], 3, 0).bits == 5 * 3 + 32
    assert quantized([6.0, 3.0, -5.0, -2.0, 0.0], 3, 0).size == 6
    assert quantized([0.0, 0.0], 8, 0).value.tolist() == [0.0, 0.0]


def test_no_bias():
    """The mean of n draws lies within 4 standard errors; an entry's spread is at most step/2."""
    values, n = [1.0, 0.3, -0.77, 0.123], 4000
    drawn = np.array([quantized(values, 3, s).value.tolist() for s in range(n)])
    step = 1 / 3
    assert np.abs(drawn.mean(axis=0) - values).max() < 4 * step / 2 / np.sqrt(n)
    assert np.abs(drawn - values).max() < step


def test_bits_on_the_wire():
    """243 parameters take a byte each, and their step 4; 8 statistics travel as they are."""
    plain, small = (build("fedavg", c, model=Normed) for c in ({}, LINKS["quantize"]))
    plain.train(), small.train()
    assert plain.history[1]["bytes_up"] == 3 * (243 + 8) * 8
    assert small.history[1]["bytes_up"] == 3 * (243 + 4 + 8 * 8)
    assert small.history[1]["bytes_down"] == plain.history[1]["bytes_down"]
    assert 0 < small.history[1]["quantization_error"] < 0.1


def test_what_is_not_private_is_not_touched():
    """FedNova's ‖a‖ travels as it is: 8 bytes beside the two quantised parts."""
    trainer = build("fednova", LINKS["quantize"], model=Normed)
    sent = watch(trainer)
    trainer.train()
    assert trainer.history[1]["bytes_up"] == 3 * (243 + 4 + 8 * 8 + 8)
    # µ = 0.5, η = 0.1: 1 + 0.95 for the two steps of the first client.
    assert sent[1][0].parts["a"].value.item() == pytest.approx(1.95)


@pytest.mark.parametrize("option", [1, 2])
@pytest.mark.parametrize("chain", ["clip", "quantize"])
def test_the_server_variate_stays_the_mean_of_all_clients(chain, option):
    """A client's variate moves by the Δc_i that the server got, not by the one before the links."""
    trainer = federation(
        "scaffold",
        {"option": option},
        chain=LINKS[chain],
        sizes=(8, 16, 12, 6, 20),
        clients_per_round=2,
        rounds=5,
    )
    zeros = torch.zeros_like(trainer.server.vector)

    def check(row):
        own = [client.state.get("c", zeros) for client in trainer.clients]
        mean = sum(own) / 5
        assert torch.allclose(trainer.server.algorithm.state["c"], mean, rtol=0, atol=1e-12)

    trainer.on_round = check
    trainer.train()


def test_feddyn_keeps_what_the_server_heard():
    """g_i and h both move by what was sent, so h stays the mean of all g_i under clipping."""
    trainer = build("feddyn", LINKS["clip"], clients_per_round=2, rounds=4)
    trainer.train()
    zeros = torch.zeros_like(trainer.server.vector)
    mean = sum(client.state.get("g", zeros) for client in trainer.clients) / 3
    h = trainer.server.algorithm.state["h"]
    assert float(h.abs().max()) > 1e-4
    assert torch.allclose(h, mean, rtol=0, atol=1e-12)


# The median.


def test_medians_by_hand():
    rows = [torch.tensor(row) for row in ([1.0, 9.0], [4.0, 2.0], [7.0, 5.0])]
    assert median(rows).tolist() == [4.0, 5.0]
    assert median([*rows, torch.tensor([5.0, 100.0])]).tolist() == [4.5, 7.0]


def test_weights_that_do_not_sum_to_one_keep_their_meaning():
    """The median of 1, 2 and 9 is 2; with weights 3 + 1 + 2 and base 10 the sum is 6 · (10 + 2)."""
    combination = CoordinateMedian().start()
    base = torch.tensor([10.0])
    for value, weight in ((11.0, 3.0), (12.0, 1.0), (19.0, 2.0)):
        part = Part(torch.tensor([value]), weight, base)
        combination.add(Message(0, {"a": part}, 1.0, 0.0, 1, 1))
    total = combination.total()["a"]
    assert (total.sum.item(), total.weight) == (72.0, 6.0)
    assert total.mean.item() == 12.0
    assert total.update.item() == 12.0


@pytest.mark.parametrize("name", ["fedavg", "fednova", "scaffold"])
def test_rounds_with_the_median(name):
    trainer = federation(
        name, {}, chain=LINKS["median"], sizes=(8, 16, 12, 6), clients_per_round=3, rounds=3
    )
    problem = Softmax(trainer)
    x = problem.start
    c, own = np.zeros_like(x), np.zeros((4, len(x)))
    for number, seen in enumerate(models(trainer)):
        if number:
            moves, tau, changes, sizes = [], [], [], []
            for k in problem.participants(number):
                steps = problem.batches(k, number)
                v = c - own[k] if name == "scaffold" else 0.0
                y = problem.descend(x, steps, correction=lambda y, v=v: v)
                new = own[k] - c + (x - y) / (0.1 * len(steps))
                changes.append(new - own[k])
                own[k] = new
                moves.append(y - x)
                tau.append(len(steps))
                sizes.append(len(problem.rows(k)))
            sizes, tau = np.array(sizes), np.array(tau)
            move = np.median(moves, axis=0)
            if name == "fednova":
                # (Σ n_i/τ_i) · median, over Σ n_i, times the median of the τ_i.
                move = np.median(tau) * (sizes / tau).sum() / sizes.sum() * move
            x = x + move
            c = c + 3 * np.median(changes, axis=0) / 4
        assert close(seen, x)
    if name == "scaffold":
        assert close(trainer.server.algorithm.state["c"], c)


# The chain as a whole.


def test_the_order_is_that_of_the_meaning():
    """Updates are clipped before they are quantised, in whichever order links are written."""
    links = {"quantize": {"bits": 4}, "clip": {"norm": 0.1}}
    one = build("fedavg", {"links": links})
    other = build("fedavg", {"links": dict(reversed(links.items()))})
    assert [link.name for link in one.server.chain.links] == ["clip", "quantize"]
    sent = watch(one)
    runs_alike(one, other)
    for message in sent[1].values():
        levels = message.parts[PARAMETERS].update / (
            message.parts[PARAMETERS].update.abs().max() / 7
        )
        assert torch.allclose(levels, levels.round(), atol=1e-6)


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ({"links": {"clp": {}}}, "unknown link `clp`; did you mean `clip`?"),
        ({"links": {"clip": {"nrm": 1}}}, "unknown key `nrm`; did you mean `norm`?"),
        ({"links": {"clip": {"norm": 0}}}, "greater than 0"),
        ({"links": {"clip": {"norm": float("nan")}}}, "finite"),
        ({"links": {"quantize": {"bits": 1}}}, "greater than or equal to 2"),
        ({"rule": "medain"}, "unknown rule `medain`; did you mean `median`?"),
        ({"rule": "median", "rule_params": {"f": 1}}, "unknown key `f`"),
        ({"links": {"links:Nothing": {}}}, "cannot be loaded"),
        ({"links": {"federations:Linear": {}}}, "is not a subclass of medfl.chain.Link"),
    ],
)
def test_mistakes(chain, words):
    with pytest.raises(MedflError) as error:
        federation(chain=chain, model=Linear)
    assert words in str(error.value)


@pytest.mark.parametrize("chain", [{"links": {"quantize": None}}, {"links": None}, None])
def test_what_yaml_calls_null_is_the_default(chain):
    assert federation(chain=chain).config.chain.rule == "sum"
