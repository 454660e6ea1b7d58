"""Where clients' states lie: the same bits from the disk as from memory, whatever happens."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from federations import ALGORITHMS, Normed, federation

from medfl.algorithms.fedavg import FedAvg
from medfl.errors import MedflError
from medfl.federated import FederatedClient, client_state, saving
from medfl.federated.state_file import FreePlaces, StateFile, Stored

SIZES = (8, 16, 12)
KEEPING = ("scaffold", "scaffold-1", "feddyn", "ditto", "moon", "fedbn", "local", "apfl")
CPU = torch.device("cpu")


def build(name: str, where: str, folder: Path | None = None, **settings):
    usual = {"sizes": SIZES, "rounds": 4, "evaluate_every": 1, "clients_per_round": 2}
    return federation(
        name.split("-")[0],
        ALGORITHMS[name],
        model=Normed,
        client_state=where,
        checkpoint_dir=folder,
        **(usual | settings),
    )


def assert_same(one, other):
    assert torch.equal(one.server.vector, other.server.vector)
    assert torch.equal(one.server.buffers, other.server.buffers)
    assert one.client_history == other.client_history
    assert torch.equal(one.last[1].said, other.last[1].said)
    for a, b in zip(one.clients, other.clients, strict=True):
        assert a.state.keys() == b.state.keys()
        assert all(torch.equal(a.state[key], b.state[key]) for key in a.state)


def lies_on_disk(trainer):
    kept = [one for client in trainer.clients for one in client.state.kept.values()]
    return bool(kept) and all(isinstance(one, Stored) for one in kept)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", KEEPING)
def test_the_disk_gives_the_bits_of_memory(name, workers, tmp_path):
    usual = {"workers": workers, "cores": 2, "rounds": 3}  # in which somebody takes part twice
    both = [build(name, where, tmp_path, **usual) for where in ("memory", "disk")]
    for trainer in both:
        trainer.train()
        for path in tmp_path.glob("checkpoint*"):
            path.unlink()
    assert [lies_on_disk(trainer) for trainer in both] == [False, True]
    assert all(not client.state._read for client in both[1].clients), "nothing stays in memory"
    assert_same(*both)


def test_sealed_rounds_put_aside_what_they_put_off(monkeypatch):
    """Under secure aggregation clients keep their state only when the round is whole."""
    chain = {"links": {"secure_aggregation": {"bound": 10.0}}}
    off, put_aside = [], FederatedClient.put_aside

    def spy(self):
        put_aside(self)
        off.extend(type(one) for one in self._kept.values())

    monkeypatch.setattr(FederatedClient, "put_aside", spy)
    usual = {"chain": chain, "clients_per_round": None}
    both = [build("scaffold", where, **usual) for where in ("memory", "disk")]
    both[0].train()
    off.clear()
    both[1].train()
    assert set(off) == {Stored}
    assert_same(*both)


@pytest.mark.parametrize("places", [("disk", "disk"), ("disk", "memory"), ("memory", "disk")])
@pytest.mark.parametrize("name", ["scaffold", "ditto", "fedbn"])
def test_a_copy_of_the_folder_goes_on_as_after_kill_9(name, places, tmp_path, monkeypatch):
    """The folder is copied in the middle of each later round, when states have been written since
    the checkpoint of round 2: what that refers to must not have been written over."""
    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)
    whole = build(name, "memory", rounds=6)
    whole.train()
    killed, copies = build(name, places[0], tmp_path / "run", rounds=6), []
    (tmp_path / "run").mkdir()
    original = FederatedClient.answered

    def copying(self, work):
        original(self, work)
        if self.server.round == 3:
            monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 1e9)
        if self.server.round > 3:
            copies.append(tmp_path / f"copy{len(copies)}")
            shutil.copytree(tmp_path / "run", copies[-1])

    with monkeypatch.context() as patch:
        patch.setattr(FederatedClient, "answered", copying)
        killed.train()
    assert len(copies) == 6
    for copy in copies:
        resumed, rounds = build(name, places[1], copy, rounds=6), []
        resumed.on_round = lambda row, rounds=rounds: rounds.append(row["round"])
        resumed.train()
        assert rounds == [3, 4, 5, 6]
        assert_same(whole, resumed)
        assert lies_on_disk(resumed) == (places[1] == "disk")


SCRIPT = """
import json, os, signal, sys
sys.path[:0] = {path!r}
from test_client_state import build
from medfl.federated import FederatedClient, saving
saving.CHECKPOINT_SECONDS = 0
count, original = 0, FederatedClient.put_aside
def put_aside(self):
    global count
    original(self)
    count += 1
    if count == {kill}:
        os.kill(os.getpid(), signal.SIGKILL)
FederatedClient.put_aside = put_aside
build("scaffold", "disk", {folder!r}).train()
"""


def test_kill_9_leaves_nothing_wrong(tmp_path):
    """A process is killed again and again, each time a little later, until it reaches the end."""
    whole = build("scaffold", "memory")
    whole.train()
    folder = tmp_path / "run"
    folder.mkdir()
    path = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    codes = []
    for kill in (7, 6, 5):
        script = SCRIPT.format(path=path, kill=kill, folder=str(folder))
        codes.append(subprocess.run([sys.executable, "-c", script], check=False).returncode)
    assert codes[0] == -signal.SIGKILL
    resumed = build("scaffold", "disk", folder)
    resumed.train()
    assert_same(whole, resumed)


def test_auto_asks_what_fits(tmp_path, caplog, monkeypatch):
    """Normed has 64·3 + 3 + 4·9 + 4 + 2·4 = 243 parameters: 1,944 bytes a client, twice for each of
    three clients, which are 11,664."""
    for room, expected in ((11_664, False), (11_663, True)):
        trainer = build("scaffold", "auto", tmp_path, memory_limit=room / 2**30)
        with caplog.at_level("INFO"):
            trainer.train()
        assert lies_on_disk(trainer) is expected
        assert ("clients' states are kept on the disk" in caplog.text) is expected
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
    monkeypatch.setattr(client_state, "room_in_memory", lambda device, limit: limit or 11_663)
    trainer = build("scaffold", "auto", tmp_path)
    trainer.train()
    assert lies_on_disk(trainer), "by default it is what is free that counts"


def test_what_no_client_keeps_makes_no_file(tmp_path):
    trainer = build("fedavg", "disk", tmp_path)
    trainer.train()
    assert not (tmp_path / client_state.NAME).exists()


def test_without_a_folder_the_file_has_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trainer = build("scaffold", "disk")
    trainer.train()
    assert lies_on_disk(trainer)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(MedflError, match=r"no space left while writing .*client-state\.bin"):
        build("scaffold", "disk", tmp_path).train()


def test_a_damaged_file_is_told_and_not_gone_on_from(tmp_path, monkeypatch, caplog):
    whole = build("scaffold", "memory")
    whole.train()
    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)
    build("scaffold", "disk", tmp_path).train()
    path = tmp_path / client_state.NAME
    content = bytes(one ^ 1 for one in path.read_bytes())
    path.write_bytes(content)
    again = build("scaffold", "disk", tmp_path, rounds=4)
    again.train()
    assert "client-state.bin is damaged: it does not hold what was written to it" in caplog.text
    assert "starting from the first round" in caplog.text
    assert (tmp_path / client_state.ASIDE).read_bytes() == content, "with its checkpoint"
    assert_same(whole, again)


def test_damage_while_it_runs_is_one_sentence(tmp_path):
    trainer = build("scaffold", "disk", tmp_path)

    def damage(row):
        if row["round"] == 2:
            (tmp_path / client_state.NAME).write_bytes(b"")

    trainer.on_round = damage
    with pytest.raises(MedflError, match="is damaged: it does not hold what was written to it"):
        trainer.train()


class InPlace(FedAvg):
    """Changes what it keeps in place."""

    def message(self, client, model, work):
        if "seen" in client.state:
            client.state["seen"].add_(1.0)
        else:
            client.keep(seen=torch.zeros(2))
        return super().message(client, model, work)


def test_what_is_changed_in_place_is_refused_on_the_disk(tmp_path):
    trainer = federation(f"{__name__}:InPlace", rounds=2, client_state="disk")
    with pytest.raises(MedflError, match=r"client\.state\['seen'\]` is changed in place"):
        trainer.train()


def test_a_tensor_comes_back_as_it_was(tmp_path):
    file = StateFile(tmp_path / "file", CPU)
    last = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    many = [
        torch.arange(5.0),
        last,
        last.bfloat16(),
        torch.randn(4, 6).T,
        torch.tensor(3),
        torch.tensor([True, False]),
        torch.randn(3, dtype=torch.complex64),
        torch.zeros(0),
        torch.randn(1, 4).expand(3, 4),
    ]
    stored = [file.write(one) for one in many]
    for one, place in zip(many, stored, strict=True):
        assert json.loads(json.dumps(place.description())) == place.description()
        found = place.read()
        assert found.dtype == one.dtype
        assert torch.equal(found, one)
        if one.is_contiguous(memory_format=torch.contiguous_format) or one is last:
            assert found.stride() == one.stride()


def test_places_are_taken_again_when_nothing_refers_to_them():
    places = FreePlaces()
    assert [places.take(n) for n in (10, 20, 30)] == [0, 10, 30]
    places.give_back(10, 20)
    assert places.take(25) == 60, "it does not fit between"
    assert places.take(5) == 10
    assert places.take(15) == 15
    places.give_back(0, 10)
    places.give_back(10, 5)
    assert places.take(15) == 0, "neighbours are one"
    places = FreePlaces()
    places.claim(20, 10)
    places.claim(0, 5)
    with pytest.raises(ValueError, match="not free"):
        places.claim(3, 4)
    assert places.take(15) == 5
    assert places.take(1) == 30


def test_the_file_does_not_grow_from_round_to_round(tmp_path, monkeypatch):
    """Each of three clients has one state in use and, while a round runs, one of the checkpoint and
    one that is remembered."""
    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)
    build("scaffold", "disk", tmp_path, rounds=12, clients_per_round=None).train()
    assert (tmp_path / client_state.NAME).stat().st_size <= 3 * 3 * 8 * 243
