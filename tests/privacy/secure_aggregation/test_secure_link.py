"""The link: a run whose server gets sums alone."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from chains import FEDERATED, LINKS, build, composing, runs_alike
from federations import ALGORITHMS, Grouped, Normed, federation, models
from links import losing, watch
from secure_rounds import changed, vector_in
from softmax import Softmax

from medfl.chain import PARAMETERS, Link, Sealed
from medfl.errors import MedflError
from medfl.privacy.sealed.envelope import OVERHEAD, MessageKind
from medfl.registry import HyperParams

SIZES = (8, 16, 12, 6)


D = 111  # parameters of the linear network


def secure(algorithm="fedavg", links=(), params=None, **settings):
    given = {"secure_aggregation": {"ring_bits": 64, "weight_unit": 1e-5, **(params or {})}}
    chain = {"links": {**given, **dict(links)}}
    settings = {"sizes": SIZES, **settings}
    return build(algorithm, chain, **settings)


def test_a_round_by_hand():
    """Softmax regression by numpy: the mean of the clients' models to within n s / Σ w."""
    trainer = secure(params={"ring_bits": 32, "weight_unit": None, "bound": 2.0}, rounds=3)
    point = trainer.server.chain.links[0]._points.usual
    # 4 clients take 2 bits, weights 12: 18 are left for a coordinate.
    assert (point.value_bits, point.weight_bits, point.clients) == (18, 12, 4)
    step = 2.0 / (2**17 - 1)
    problem = Softmax(trainer)
    x, share = problem.start, np.array(SIZES) / sum(SIZES)
    for number, seen in enumerate(model.numpy() for model in models(trainer)):
        if number:
            own = [problem.descend(x, problem.batches(k, number)) for k in range(4)]
            expected = share @ np.array(own)
            assert np.abs(seen - expected).max() <= 4 * step / sum(SIZES) + 1e-12
            x = seen
        else:
            assert np.abs(seen - x).max() < 1e-10


def test_the_same_run_to_the_bit_whichever_keys_are_drawn():
    runs_alike(secure(rounds=3, model=Normed), secure(rounds=3, model=Normed))


def test_the_bound_clips_coordinates_and_says_how_many():
    trainer = secure(params={"bound": 0.01}, rounds=1)
    sent = watch(trainer)
    plain = federation(sizes=SIZES, rounds=1)
    own = watch(plain)
    trainer.train(), plain.train()
    shares = []
    for client, message in sent[1].items():
        update = own[1][client].parts[PARAMETERS].update
        shares.append(float((update.abs() > 0.01).double().mean()))
        clipped = message.parts[PARAMETERS].update
        assert torch.allclose(clipped, update.clamp(-0.01, 0.01), rtol=0, atol=1e-8)
    assert min(shares) > 0
    assert trainer.history[1]["outside_bound"] == pytest.approx(np.mean(shares))


def test_nothing_but_masked_bytes_travels():
    trainer = secure(rounds=1)
    seen = []
    original = trainer.server.chain.links[0].add
    trainer.server.chain.links[0].add = lambda message: (seen.append(message), original(message))[1]
    own = watch(trainer)
    trainer.train()
    assert [message.client for message in seen] == [0, 1, 2, 3]
    for message in seen:
        assert (message.parts, message.loss, message.weight) == ({}, None, 1.0)
        masked, places = message.sealed.content
        assert isinstance(masked, bytes)
        assert [place.length for place in places] == [D, 0]
        update = own[1][message.client].parts[PARAMETERS].update
        units = (update / trainer.server.chain.links[0]._points.usual.step).round()
        words = vector_in(masked, "<i8")
        assert not np.isin(units.long().numpy(), words).any()
    assert trainer.history[1]["train_loss"] is None


def test_every_byte_of_the_protocol_is_counted():
    trainer = secure(params={"ring_bits": 32, "weight_unit": None}, rounds=2)
    trainer.train()
    # Parameters and an empty part of statistics, each with its weight; and a signed statement.
    vector = 4 * (D + 1 + 1) + OVERHEAD + OVERHEAD + 32
    sent = trainer.server.chain.links[0]._rounds.transcript.sent
    kinds = {MessageKind.KEYS: 4, MessageKind.SHARES: 4, MessageKind.MASKED: 4}
    kinds |= {MessageKind.CONFIRMATION: 4, MessageKind.ANSWER: 4}
    up = [one for one in sent if one.sender >= 0]
    assert {kind: sum(one.kind == kind for one in up) for kind in kinds} == kinds
    assert sum(one.size for one in up if one.kind == MessageKind.MASKED) == 4 * vector
    row = trainer.history[2]
    assert row["bytes_up"] == sum(one.size for one in up)
    assert row["bytes_down"] == 4 * 888 + sum(one.size for one in sent if one.sender < 0)


def test_a_client_that_drops_out_leaves_the_mean_of_the_others():
    """As the engine's own mean without it, to within n s / Σ w; the client stays as it was."""
    both = []
    for trainer in (secure(rounds=2), federation(sizes=SIZES, rounds=2)):
        both.append(list(models(losing(trainer, {1: [1], 2: [3]}))))
        assert [row["participants"] for row in trainer.history[1:]] == [3, 3]
    for one, other in zip(*both, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-6)
    assert not torch.equal(both[0][1], both[0][2])


@pytest.mark.parametrize("algorithm", ["scaffold", "feddyn", "fedbn", "ditto"])
def test_a_round_below_the_threshold_is_given_up_and_the_next_one_goes_on(algorithm, caplog):
    """Of 4 clients 3 must stay. In round 2 two leave: everyone is as before; then all is well."""
    trainer = losing(secure(algorithm, model=Normed, rounds=3), {2: [0, 1]})
    seen = []
    trainer.on_round = lambda row: seen.append(
        (
            trainer.server.vector.clone(),
            [{key: value.clone() for key, value in c.state.items()} for c in trainer.clients],
        )
    )
    with caplog.at_level(logging.WARNING):
        trainer.train()
    assert [row["given_up"] for row in trainer.history[1:]] == [0.0, 1.0, 0.0]
    assert torch.equal(seen[1][0], seen[2][0])
    for one, other in zip(seen[1][1], seen[2][1], strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert not torch.equal(seen[2][0], seen[3][0])
    assert "2 of 4 clients sent their masked vectors, and at least 3 must" in caplog.text


def test_a_round_that_too_few_clients_open_is_given_up(caplog):
    class Closed(Link):
        stage = "clip"

        def open(self, number, clients):
            return clients[:2] if number == 1 else clients

    trainer = secure(rounds=2)
    link = Closed()
    link.name = "closed"
    trainer.server.chain.links.insert(0, link)
    with caplog.at_level(logging.WARNING):
        trainer.train()
    assert [row["given_up"] for row in trainer.history[1:]] == [1.0, 0.0]
    assert [row["participants"] for row in trainer.history[1:]] == [0, 4]
    assert "round 1 is given up: secure aggregation of 2 clients" in caplog.text


class Damaged(Link):
    """One bit of what client 1 sends is flipped on the way."""

    stage = "round"

    def message(self, client, message):
        masked, places = message.sealed.content
        if client.id == 1:
            masked = changed(masked, 1000)
        return replace(message, sealed=Sealed((masked, places), len(masked)))


def test_a_damaged_message_is_left_out_and_the_others_have_their_sum(caplog):
    both = [secure(links={"test_secure_link:Damaged": {}}, rounds=1)]
    both.append(losing(federation(sizes=SIZES, rounds=1), {1: [1]}))
    with caplog.at_level(logging.WARNING):
        runs_alike(*both, atol=1e-6)
    assert "a message of client 1 is refused and left out: its signature" in caplog.text
    assert both[0].history[1]["given_up"] == 0.0


class OnGrid(Link):
    """Rounds updates to whole multiples of s, and gives all the same weight, as noise would."""

    class Params(HyperParams):
        """s, and whether another link spoils it."""

        s: float = 1 / 1024
        spoilt: bool = False

    stage = "noise"

    def message(self, client, message):
        s = self.params.s
        for name, part in message.parts.items():
            rounded = (part.update / s).round() * s + (0.4 * s if self.params.spoilt else 0.0)
            message.parts[name] = part.with_update(rounded, grid=s)
        return message


def test_whole_multiples_are_not_rounded_again():
    """Equal weights: the server's model is x plus the mean of the multiples, exactly."""
    params = {"ring_bits": 32, "weight_unit": None}
    link = {"test_secure_link:OnGrid": {}}
    trainer = secure(links=link, params=params, rounds=1, weighting="uniform")
    start, sent = trainer.server.vector.clone(), watch(trainer)
    trainer.train()
    steps = [message.parts[PARAMETERS].update * 1024 for message in sent[1].values()]
    whole = torch.stack([one.round() for one in steps])
    assert torch.allclose(torch.stack(steps), whole, rtol=0, atol=1e-9)
    assert whole.abs().max() > 3
    expected = start + whole.sum(0) / 1024 / 4
    assert torch.allclose(trainer.server.vector, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weighting": "uniform", "links": {"spoilt": True}}, "not whole multiples of"),
        ({"links": {}}, "must be one weight_unit for every client"),
    ],
)
def test_multiples_that_are_none_or_weighted_are_refused(settings, words):
    link = {"test_secure_link:OnGrid": settings.pop("links")}
    trainer = secure(links=link, params={"ring_bits": 32, "weight_unit": None}, **settings)
    with pytest.raises(MedflError, match=words):
        trainer.train()


@pytest.mark.parametrize("name", FEDERATED)
def test_without_a_bound_the_link_steps_aside(name):
    plain = build(name, model=Normed)
    runs_alike(plain, build(name, {"links": {"secure_aggregation": {"bound": None}}}, model=Normed))


@pytest.mark.parametrize("name", composing("secure_aggregation"))
def test_through_its_whole_path_the_run_is_the_plain_one(name):
    """64 bits and a bound above all updates; FedNova's weights are fractions, and are rounded."""
    chain = LINKS["secure_aggregation"]
    plain, hidden = build(name, model=Normed), build(name, chain, model=Normed)
    runs_alike(plain, hidden, atol=1e-6 if name == "fednova" else 1e-12)
    assert [row["outside_bound"] for row in hidden.history[1:]] == [0.0] * 3


@pytest.mark.parametrize("name", ["fedavg", "fedbn", "scaffold", "ditto"])
def test_noise_at_each_client_masks_and_local_layers_in_one_run(name):
    """DP-SGD of images under masks, with what stays local: the run without masks, and its ε."""
    params = {"layers": "normalization"} if name == "fedbn" else ALGORITHMS[name]
    noise = {"dp_image": {"noise_multiplier": 1.0, "max_grad_norm": 1.0}}
    settings = {"sizes": (20, 24, 28, 16), "model": Grouped, "normalization": "group"}
    settings |= {"local_steps": 3, "rounds": 2}
    both = []
    for links in (noise, {**noise, **LINKS["secure_aggregation"]["links"]}):
        both.append(federation(name, params, chain={"links": links}, **settings))
    runs_alike(*both, atol=1e-12)
    for trainer in both:
        assert trainer.history[2]["epsilon"] == both[0].history[2]["epsilon"] > 0
    if name == "fedbn":
        kept = [client.state["local"] for client in both[1].clients]
        assert not torch.equal(kept[0], kept[1])


def test_sums_revealed_before_a_stop_are_known_after_it(tmp_path, monkeypatch):
    """The learning rate is 0, so the model stays: the second sum lacks client 3 alone."""
    from medfl.federated import saving

    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)

    def run(rounds):
        settings = {"learning_rate": 1e-300, "checkpoint_dir": tmp_path}
        trainer = losing(secure(rounds=rounds, **settings), {2: [3]})
        trainer.train()
        return trainer

    class StopError(Exception):
        pass

    def stop(row):
        if row["round"] == 1:
            raise StopError

    first = losing(secure(rounds=2, learning_rate=1e-300, checkpoint_dir=tmp_path), {2: [3]})
    original = first.saving.save_when_due

    def save():
        original()
        if len(first.history) == 2:
            raise StopError

    first.saving.save_when_due = save
    with pytest.raises(StopError):
        first.train()
    again = run(2)
    assert [row["given_up"] for row in again.history[1:]] == [0.0, 1.0]


def test_links_that_only_watch_or_drop_clients_go_with_it():
    trainer = secure(links={"links:DropOut": {"client": 2}}, rounds=2)
    trainer.train()
    assert [row["participants"] for row in trainer.history[1:]] == [3, 4]
    assert [row["given_up"] for row in trainer.history[1:]] == [0.0, 0.0]
    assert math.isfinite(float(trainer.server.vector.sum()))
