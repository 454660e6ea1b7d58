"""A run whose clients train side by side is stopped at once, and goes on to its bits."""

from __future__ import annotations

import os
import signal
import time
from itertools import count

import pytest
from federations import Normed, federation, threads_left
from test_resume import assert_same_run, build
from test_stops import PLACES

from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedData, checkpoint
from medfl.federated.evaluation import Evaluator
from medfl.federated.workers import own_state
from medfl.stopping import SIGNALS, Stopped, stoppable

SEVERAL = {"workers": 3, "cores": 8, "sizes": (8, 16, 12, 7), "clients_per_round": 3}
ALONE = {**SEVERAL, "workers": 1}


@pytest.fixture(autouse=True)
def _streaming(monkeypatch):
    """Messages are combined while other clients train, as with medfl's own classes."""
    monkeypatch.setattr(own_state, "_LIBRARIES", ("medfl", "torch", "federations", __name__))


def stop_in(monkeypatch, owner, name, number, trainer, sign=signal.SIGTERM):
    """Signal this process at the end of the ``number``-th call, its own or a worker's."""
    run, calls, original = os.getpid(), count(1), getattr(owner, name)

    def call(self, *args, **options):
        result = original(self, *args, **options)
        if next(calls) == number:
            os.kill(run, sign)
        return result

    with monkeypatch.context() as patch, stoppable():
        patch.setattr(owner, name, call)
        with pytest.raises(KeyboardInterrupt) as stop:
            trainer.train()
    assert threads_left() == 0
    assert not trainer.server.workers.at_work
    return stop.value


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["scaffold", "ditto", "finetune", "fedbn", "moon"])
def test_stopped_anywhere_it_goes_on_to_the_bits_of_one_after_the_other(
    name, place, tmp_path, monkeypatch
):
    whole = build(name, None, **ALONE)
    whole.train()
    descents = 4 if name == "finetune" else 2  # of one worker; the first are of an evaluation
    number = {"a client's training": descents, "an answer": 7, "the evaluation": 4}.get(place, 3)
    stopped = build(name, tmp_path, **SEVERAL)
    stop = stop_in(monkeypatch, *PLACES[place], number, stopped)
    assert isinstance(stop, Stopped)
    assert checkpoint.NAME in [path.name for path in tmp_path.iterdir()]
    again = build(name, tmp_path, **SEVERAL)
    again.train()
    assert_same_run(whole, again)
    assert [one["workers"] for one in again.stretches] == [3, 3]


@pytest.mark.parametrize("sign", SIGNALS)
def test_every_signal(sign, tmp_path, monkeypatch):
    stop = stop_in(
        monkeypatch, *PLACES["a client's training"], 2, build("scaffold", tmp_path, **SEVERAL), sign
    )
    assert stop.number == sign


def test_the_run_may_go_on_with_another_number_of_workers(tmp_path, monkeypatch):
    whole = build("scaffold", None, **ALONE)
    whole.train()
    stop_in(monkeypatch, Evaluator, "evaluate", 3, build("scaffold", tmp_path, **SEVERAL))
    again = build("scaffold", tmp_path, **SEVERAL | {"workers": 2})
    again.train()
    assert_same_run(whole, again)
    assert [one["workers"] for one in again.stretches] == [3, 2]


def signal_the_run(monkeypatch, number, sign):
    """Let a worker send a signal to the run at its ``number``-th batch."""
    run, batches, original = os.getpid(), count(1), FederatedData.batch

    def batch(self, *args):
        if os.getpid() != run and next(batches) == number:
            os.kill(run, sign)
        return original(self, *args)

    monkeypatch.setattr(FederatedData, "batch", batch)


@pytest.mark.parametrize("where", ["training", "evaluation"])
def test_clients_under_way_end_at_once(where, monkeypatch):
    """Each has an hour of batches before it."""
    if where == "training":
        name, settings = "fedavg", {"local_steps": 10**7, "evaluate_every": 100}
    else:
        name, settings = "finetune", {"algorithm_params": {"epochs": 10**7}, "local_steps": 1}
    trainer = federation(
        name,
        settings.pop("algorithm_params", None),
        model=Normed,
        **{**SEVERAL, **settings, "rounds": 1},
    )
    signal_the_run(monkeypatch, 100, signal.SIGTERM)
    begin = time.monotonic()
    with stoppable(), pytest.raises(Stopped):
        trainer.train()
    assert time.monotonic() - begin < 20
    assert threads_left() == 0


def test_an_error_in_a_client_ends_the_others(monkeypatch):
    """The run ends with the error of the first client, whichever came first."""
    original = FederatedClient.descend

    def descend(self, model, purpose, **options):
        if self.id == 2:
            raise MedflError("client 2 fails at once.")
        work = original(self, model, purpose, **options)
        if self.id == 1:
            raise MedflError("client 1 fails.")
        return work

    monkeypatch.setattr(FederatedClient, "descend", descend)
    with pytest.raises(MedflError, match="client 1 fails"):
        federation(**{**SEVERAL, "clients_per_round": None}).train()
    assert threads_left() == 0


def test_an_interrupt_outside_of_medfls_own_commands(monkeypatch):
    """In a notebook Ctrl-C is a plain KeyboardInterrupt."""
    trainer = federation(model=Normed, **{**SEVERAL, "local_steps": 10**7})
    signal_the_run(monkeypatch, 50, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert threads_left() == 0
