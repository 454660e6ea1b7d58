"""A client whose training is not finite drops out, and the others' round is as without it."""

from __future__ import annotations

import csv
import json
import logging
import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from chains import FEDERATED, LINKS, NEEDS, REFUSED, build
from federations import Grouped, Linear, Normed, comparable, federation, models
from links import breaking, losing

from medfl.chain import Link
from medfl.chain.message import NotFiniteError
from medfl.federated.log import progress_line
from medfl.federated.outcome import write_record
from medfl.results.frames import read_clients, read_rounds

SIZES = (8, 16, 12, 6, 7)  # so many that masks stand it if one drops out


def states(trainer):
    return [(c.id, c.steps, {k: v.clone() for k, v in c.state.items()}) for c in trainer.clients]


def same_states(one, other):
    for (a, steps, kept), (b, others, theirs) in zip(one, other, strict=True):
        assert (a, steps, kept.keys()) == (b, others, theirs.keys())
        assert all(torch.equal(kept[key], theirs[key]) for key in kept)


def plain_rows(trainer):
    return [{k: v for k, v in row.items() if k != "refused"} for row in comparable(trainer.history)]


def runs_as_without(name, chain, **settings):
    """Client 1 is lost in round 2: by what its training came to, and by dropping out."""
    few = {"sizes": SIZES, "model": Normed, "batch_size": 8}  # one step, or two
    make = partial(build, name, chain, **{**few, **settings})
    broken, gone = breaking(make(), {2: [1]}), losing(make(), {2: [1]})
    for one, other in zip(models(broken), models(gone), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(broken.server.buffers, gone.server.buffers)
    same_states(states(broken), states(gone))
    assert plain_rows(broken) == plain_rows(gone)
    assert broken.refused == {1: [2]}
    assert gone.refused == {}


@pytest.mark.parametrize("name", FEDERATED)
def test_with_every_algorithm_the_round_is_that_of_the_others(name):
    runs_as_without(name, {})


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "fednova", "ditto"])
@pytest.mark.parametrize("chain", sorted(LINKS))
def test_with_every_link_and_rule_the_round_is_that_of_the_others(chain, name):
    """Under masks and differential privacy the client looks at its update before they act."""
    if name not in REFUSED.get(chain, ()):
        runs_as_without(name, LINKS[chain], **NEEDS.get(chain, {}))


def test_with_distributed_noise_under_masks():
    links = {
        "dp_hospital": {"noise_multiplier": 1.0, "noise": "distributed", "max_noise_ratio": 99},
        "secure_aggregation": {"ring_bits": 64},
    }
    settings = {"model": Grouped, "local_steps": 3, "weighting": "uniform"}
    runs_as_without("fedavg", {"links": links}, **settings)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_in_any_place_is_refused(value):
    """In the parameters, in the statistics, in the loss, and in what stays with the client."""
    for place in ("vector", "buffers", "loss", "local"):
        trainer = federation("fedbn" if place == "local" else "fedavg", model=Normed, rounds=1)
        client, start = trainer.clients[1], trainer.server.vector.clone()
        original = client.descend

        def descend(model, *given, place=place, original=original, shared=trainer.server.shared):
            work = original(model, *given)
            if place == "loss":
                return replace(work, loss=value)
            if place == "local":
                model.vector[~shared.parameters] = value
            else:
                getattr(model, place)[0] = value
            return work

        client.descend = lambda model, purpose, _descend=descend, **_: _descend(model, purpose)
        with pytest.raises(NotFiniteError, match="not finite"):
            client.train(trainer.server.model)
        trainer.train()
        assert (trainer.status, trainer.refused) == ("completed", {1: [1]}), place
        assert bool(torch.isfinite(trainer.server.vector).all()), place
        assert not torch.equal(trainer.server.vector, start)
        assert client.state == {}


def lost(trainer, folder):
    trainer.train()
    return write_record(folder, trainer, {}, {})


def test_it_is_recorded_by_round_and_client(tmp_path, caplog):
    lines = []
    trainer = breaking(
        federation(rounds=4, evaluate_every=2, model=Linear), {2: [1], 3: [1, 2]}, math.inf
    )
    trainer.on_round = lambda row: lines.append(progress_line(row, 4, "accuracy"))
    with caplog.at_level(logging.WARNING):
        record = lost(trainer, tmp_path)
    assert record["status"] == "completed"
    assert record["refused"] == {"1": [2, 3], "2": [3]}
    assert json.loads((tmp_path / "metrics.json").read_text())["refused"] == record["refused"]
    rounds, clients = read_rounds(tmp_path), read_clients(tmp_path)
    assert rounds["refused"].tolist() == [0, 0, 1, 2, 0]
    assert rounds["participants"].tolist() == [0, 3, 2, 1, 3]
    last = clients[clients["round"] == 4].drop_duplicates("client")
    assert last["refused"].tolist() == [0, 2, 1]
    assert clients[clients["round"] == 2].drop_duplicates("client")["refused"].tolist() == [0, 1, 0]
    assert clients[clients["round"] == 0]["refused"].tolist() == [0] * 6
    for name in ("rounds.csv", "clients.csv"):
        with (tmp_path / name).open(newline="") as file:
            assert next(csv.reader(file))[-1] == "refused"
    steps = {client: one["steps"] for client, one in record["clients"].items()}
    assert steps == {"0": 4 * 2, "1": 2 * 4, "2": 3 * 3}, "as if they had not trained"
    warned = [r.getMessage() for r in caplog.records if "not finite" in r.getMessage()]
    assert len(warned) == 2, "each client once"
    assert warned[0].startswith(
        "round 2, client 1: the part `parameters` of its update is not finite. The client is left"
    )
    assert ["refused" in line for line in lines] == [False, False, True, True, False]
    assert "  2 refused" in lines[3]


def test_where_nothing_is_refused_nothing_says_so(tmp_path):
    record = lost(federation(rounds=1), tmp_path)
    assert "refused" not in record
    for name in ("rounds.csv", "clients.csv"):
        assert "refused" not in (tmp_path / name).read_text().splitlines()[0]


def test_a_round_in_which_nobody_is_finite_ends_the_run(tmp_path):
    trainer = breaking(federation(rounds=3), {1: [2], 2: [0, 1, 2]})
    record = lost(trainer, tmp_path)
    assert record["status"] == "diverged"
    what = "the part `parameters` of its update is not finite"
    assert record["reason"] == f"round 2, client 0: {what}, and so at the other 2"
    assert record["refused"] == {"0": [2], "1": [2], "2": [1, 2]}
    assert record["rounds"] == 1


def test_a_client_that_drops_out_is_no_sign_of_divergence():
    """One of three is gone and the two others are not finite: the next round goes on."""
    trainer = losing(breaking(federation(rounds=2), {1: [0, 1]}), {1: [2]})
    seen = models(trainer)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_masks_are_given_up_where_too_few_are_finite():
    """Three of five must stay; with two the round has no sum, and nothing is said to diverge."""
    trainer = breaking(build("fedavg", LINKS["secure_aggregation"], sizes=SIZES), {2: [0, 1, 4]})
    seen = models(trainer)
    assert [row["given_up"] for row in trainer.history[1:]] == [0.0, 1.0, 0.0]
    assert [row.get("refused") for row in trainer.history[1:]] == [None, 3, None]
    assert torch.equal(seen[1], seen[2])


class Poison(Link):
    """Client 1 puts NaN into its message, as a hostile one may, before or after masks."""

    stage = "attack"

    def message(self, client, message):
        if client.id == 1:
            for name, part in message.parts.items():
                message.parts[name] = part.with_update(part.update * math.nan)
        return message


class PoisonLast(Poison):
    stage = "round"


class PoisonTogether(Link):
    """It does so once it has seen the others' messages."""

    stage = "attack"

    def together(self, number, messages):
        for message in messages:
            if message.client == 1:
                part = message.parts["parameters"]
                message.parts["parameters"] = replace(part, value=part.value * math.inf)
        return messages


@pytest.mark.parametrize("link", [Poison, PoisonLast, PoisonTogether])
@pytest.mark.parametrize("rule", ["sum", "median"])
def test_no_rule_sees_what_a_link_made_not_finite(link, rule):
    name = f"{__name__}:{link.__name__}"
    trainer = build("fedavg", {"links": {name: {}}, "rule": rule}, rounds=1)
    gone = losing(build("fedavg", {"rule": rule}, rounds=1), {1: [1]})
    assert torch.equal(models(trainer)[1], models(gone)[1])
    assert trainer.refused == {1: [1]}


def test_what_is_not_finite_is_refused_before_it_is_masked():
    """The mask would hide it, and the sum of all would be lost."""
    links = {f"{__name__}:Poison": {}, **LINKS["secure_aggregation"]["links"]}
    trainer = build("fedavg", {"links": links}, rounds=1, sizes=SIZES)
    gone = losing(build("fedavg", LINKS["secure_aggregation"], rounds=1, sizes=SIZES), {1: [1]})
    assert torch.equal(models(trainer)[1], models(gone)[1])


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "fedbn"])
def test_a_stop_forgets_nobody(name, tmp_path, monkeypatch):
    """The client is refused before the stop, and again after it; the run ends to the same bits."""
    from medfl.federated import saving

    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)

    class StopError(Exception):
        pass

    def stop(row):
        if row["round"] == 3:
            raise StopError

    def make(**settings):
        trainer = federation(name, model=Normed, rounds=4, **settings)
        return breaking(trainer, {2: [1], 4: [1, 2]})

    whole = make()
    whole.train()
    with pytest.raises(StopError):
        make(checkpoint_dir=tmp_path, on_round=stop).train()
    again = make(checkpoint_dir=tmp_path)
    again.train()
    assert torch.equal(whole.server.vector, again.server.vector)
    assert whole.refused == again.refused == {1: [2, 4], 2: [4]}
    assert comparable(whole.history) == comparable(again.history)
