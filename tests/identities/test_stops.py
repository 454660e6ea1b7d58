"""A run that a signal stops writes where it was, and goes on there to the same bits."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
from federations import ALGORITHMS, BRIEFLY, Normed, small_store, split_of
from test_resume import assert_same_run, build

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedServer, checkpoint, saving, state
from medfl.federated import run as run_module
from medfl.federated.evaluation import Evaluator
from medfl.federated.run import execute
from medfl.files import sha256_file
from medfl.stopping import SIGNALS, Stopped, stoppable
from medfl.store import Sample, write_store

PLACES = {
    "a client's training": (FederatedClient, "descend"),
    "an answer": (FederatedClient, "answered"),
    "the server's step": (FederatedServer, "step"),
    "the evaluation": (Evaluator, "evaluate"),
}


def stop_in(monkeypatch, owner, name, number, trainer, sign=signal.SIGTERM):
    """Send this process a signal at the end of the ``number``-th call; give what was said."""
    calls, original = 0, getattr(owner, name)

    def call(self, *args, **options):
        nonlocal calls
        result = original(self, *args, **options)
        calls += 1
        if calls == number:
            signal.raise_signal(sign)
        return result

    with monkeypatch.context() as patch, stoppable():
        patch.setattr(owner, name, call)
        with pytest.raises(KeyboardInterrupt) as stop:
            trainer.train()
    return stop.value


def resumed(name, folder, **settings):
    trainer, rounds = build(name, folder, **settings), []
    trainer.on_round = lambda row: rounds.append(row["round"])
    trainer.train()
    return trainer, rounds


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (name, place)
        for name in sorted(ALGORITHMS)
        for place in PLACES
        if name not in BRIEFLY or place == "an answer"
    ],
)
def test_stopped_anywhere_it_goes_on_to_the_same_bits(name, place, tmp_path, monkeypatch):
    """Two clients train in each of five rounds, and round 0 is evaluated, too."""
    whole = build(name, None)
    whole.train()
    if place == "an answer" and name == "centralized":
        number = 3  # one client holds all samples
    else:
        number = {"a client's training": 4, "an answer": 5, "the evaluation": 4}.get(place, 3)
    stopped = build(name, tmp_path)
    stop = stop_in(monkeypatch, *PLACES[place], number, stopped)
    assert checkpoint.NAME in [path.name for path in tmp_path.iterdir()]
    again, rounds = resumed(name, tmp_path)
    done = rounds[0] if place in ("the server's step", "the evaluation") else rounds[0] - 1
    assert stop.__notes__ == [f"the same command goes on after round {done}"]
    assert 0 < rounds[0] <= 5
    assert_same_run(whole, again)
    assert [one["first_round"] for one in again.stretches] == [1, done + 1]


@pytest.mark.parametrize("sign", SIGNALS)
def test_every_signal_that_may_end_a_run(sign, tmp_path, monkeypatch):
    stopped = build("scaffold", tmp_path)
    stop = stop_in(monkeypatch, *PLACES["a client's training"], 8, stopped, sign)
    assert isinstance(stop, Stopped)
    assert stop.number == sign
    assert stop.__notes__ == ["the same command goes on after round 3"]


def test_what_is_stopped_twice_goes_on_twice(tmp_path, monkeypatch):
    whole = build("ditto", None)
    whole.train()
    for number in (1, 3):  # after the first round, and the third one from there
        stop_in(monkeypatch, FederatedServer, "step", number, build("ditto", tmp_path))
    again, rounds = resumed("ditto", tmp_path)
    assert_same_run(whole, again)
    assert [one["first_round"] for one in again.stretches] == [1, 2, 5]
    assert rounds == [4, 5], "the fourth was trained, and not evaluated"


def test_nothing_was_done_yet(tmp_path, monkeypatch):
    stop = stop_in(monkeypatch, Evaluator, "evaluate", 1, build("fedavg", tmp_path))
    assert stop.__notes__ == ["the same command begins again with the first round"]
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_was_changed_in_the_middle_of_a_round_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)
    trainer, answered = build("scaffold", tmp_path), FederatedClient.answered

    def changing(self, work):
        if trainer.server.round == 3:
            trainer.server.algorithm.state["c"].add_(1.0)
        answered(self, work)

    monkeypatch.setattr(FederatedClient, "answered", changing)
    stop = stop_in(monkeypatch, FederatedClient, "train", 6, trainer)
    assert stop.__notes__ == ["the same command goes on after round 2"], "of the last checkpoint"
    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 60)
    again = build("scaffold", tmp_path)
    stop_in(monkeypatch, FederatedClient, "train", 2, again)
    assert again.saving.save() is None


def test_states_that_are_too_large_to_keep_twice_go_back_to_the_last_checkpoint(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(state, "KEPT_BYTES", 100)
    stop = stop_in(monkeypatch, *PLACES["an answer"], 5, build("scaffold", tmp_path))
    assert stop.__notes__ == ["the same command begins again with the first round"]
    stop = stop_in(monkeypatch, *PLACES["an answer"], 5, build("fedavg", tmp_path))
    assert stop.__notes__ == ["the same command goes on after round 2"]


def test_a_full_disk_when_it_is_stopped(tmp_path, monkeypatch):
    def full(folder, content):
        raise MedflError("no space left while writing it.")

    monkeypatch.setattr(checkpoint, "write", full)
    stop = stop_in(monkeypatch, *PLACES["an answer"], 5, build("fedavg", tmp_path))
    assert stop.__notes__ == [
        "no checkpoint could be written (no space left while writing it); "
        "the same command begins again with the first round"
    ]


def test_stopped_while_its_record_is_written(tmp_path, monkeypatch):
    memory = small_store(60, size=8)
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), f"g{i}") for i, k in enumerate(memory.labels)
    ]
    store = write_store(tmp_path / "store", memory.info, samples, memory.images)
    (tmp_path / "iid").mkdir()
    path = tmp_path / "iid" / "seed0.csv"
    split_of(store, [12, 16, 8]).write(path)
    settings = {"dataset": "test", "partition": "iid", "rounds": 2, "num_clients": 3}
    config = FederatedConfig(**settings, device="cpu", model="logistic")

    def stop(*args):
        signal.raise_signal(signal.SIGUSR1)

    with monkeypatch.context() as patch, stoppable():
        patch.setattr(run_module, "write_record", stop)
        with pytest.raises(Stopped) as stopped:
            execute(config, tmp_path / "store", path, tmp_path / "run")
    assert stopped.value.__notes__ == ["the same command goes on after round 2"]
    metrics = execute(config, tmp_path / "store", path, tmp_path / "run")
    assert "going on after round 2" in (tmp_path / "run" / "run.log").read_text()
    stretches = metrics["provenance"]["stretches"]
    assert [(one["first_round"], one["last_round"]) for one in stretches] == [(1, 2)]
    assert stretches[0].keys() == {
        *("first_round", "last_round", "started", "device", "torch", "threads", "workers")
    }
    assert (stretches[0]["device"], stretches[0]["threads"]) == ("cpu", 1)


STATE = {
    "numbers": [np.float32(0.1), np.int64(-3), np.bool_(True), 1.5, None, "ä", 1j],
    "arrays": (np.arange(6, dtype=np.int16).reshape(2, 3)[:, ::2], np.array(7.0), np.array(["a"])),
    "tensor": torch.arange(3),
    np.int64(4): {"deep": np.zeros((0, 2))},
}


def test_numpy_values_in_a_state_come_back_as_they_were(tmp_path):
    checkpoint.write(tmp_path, {"fingerprint": "f", "state": STATE})
    found = checkpoint.read(tmp_path, "f", torch.device("cpu"))["state"]
    assert found["numbers"] == STATE["numbers"]
    assert [type(one) for one in found["numbers"]] == [type(one) for one in STATE["numbers"]]
    for one, other in zip(found["arrays"], STATE["arrays"], strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert (one == other).all()
    assert found["arrays"][0].flags.writeable
    assert torch.equal(found["tensor"], STATE["tensor"])
    assert found[4]["deep"].shape == (0, 2)


@pytest.mark.parametrize("value", [{1, 2}, b"", object(), np.array([None]), Normed])
def test_what_no_checkpoint_can_hold_is_refused_with_its_place(value, tmp_path):
    with pytest.raises(MedflError, match=r"stands in the state `chain\.mine\.seen`: keep tensors"):
        checkpoint.write(tmp_path, {"chain": {"mine": {"seen": [value]}}})
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_on_the_disk_itself_before_it_takes_its_name(tmp_path, monkeypatch):
    """Else a loss of power leaves an empty file of that name, and the older one is gone."""
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *paths: (steps.append("replace"), replace(*paths)))
    checkpoint.write(tmp_path, {"fingerprint": "f"})
    assert steps.index("fsync") < steps.index("replace")


class MakesAFolder:
    """What an attacker could put into a file: pickle calls `os.mkdir` when it reads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_code_is_run_from_a_checkpoint(tmp_path):
    path, ran = tmp_path / checkpoint.NAME, tmp_path / "ran"
    torch.save({"fingerprint": "f", "x": MakesAFolder(ran)}, path)
    path.write_bytes(path.read_bytes() + checkpoint._MARK + sha256_file(path).encode())
    assert checkpoint.read(tmp_path, "f", torch.device("cpu")) is None
    assert not ran.exists()


def test_every_flipped_bit_of_a_checkpoint_is_seen(tmp_path):
    checkpoint.write(tmp_path, {"fingerprint": "f", "x": torch.arange(4.0)})
    path, rng = tmp_path / checkpoint.NAME, np.random.default_rng(0)
    content = path.read_bytes()
    assert checkpoint.read(tmp_path, "f", torch.device("cpu")) is not None
    places = [*rng.integers(0, len(content), 40), 0, len(content) - 1, len(content) - 64]
    damaged = [content[:p] + bytes([content[p] ^ 1 << p % 8]) + content[p + 1 :] for p in places]
    cut = [content[:p] for p in (0, 1, 64, 89, len(content) // 2, len(content) - 1)]
    for one in [*damaged, *cut, content + b"\0", bytes(len(content))]:
        path.write_bytes(one)
        assert checkpoint.read(tmp_path, "f", torch.device("cpu")) is None
        assert not path.exists()
        assert (tmp_path / checkpoint.ASIDE).read_bytes() == one
