"""A run killed at any moment and resumed is the uninterrupted run, bit for bit."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from federations import (
    ALGORITHMS,
    Dropped,
    Grouped,
    Normed,
    comparable,
    federation,
    small_store,
    split_of,
)

from medfl.config import FederatedConfig
from medfl.federated import FederatedClient, saving
from medfl.federated import trainer as trainer_module
from medfl.federated.run import execute
from medfl.store import Sample, write_store


class Killed(BaseException):
    """Stands for a signal: nothing in the engine may catch it."""


@pytest.fixture(autouse=True)
def _checkpoint_every_round(monkeypatch):
    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)


def build(name, folder, model=Normed, **settings):
    return federation(
        name.split("-")[0],
        ALGORITHMS[name],
        model=model,
        rounds=5,
        evaluate_every=1,
        lr_schedule="cosine",
        momentum=0.5,
        checkpoint_dir=folder,
        **{"clients_per_round": 2, **settings},
    )


def die_in_training(monkeypatch, name, folder, model, number, **settings):
    """Kill after the ``number``-th client has descended, before its update is used."""
    calls, original = 0, FederatedClient.descend

    def descend(self, network, purpose, **options):
        nonlocal calls
        result = original(self, network, purpose, **options)
        calls += purpose == "train"
        if calls == number:
            raise Killed
        return result

    with monkeypatch.context() as patch:
        patch.setattr(FederatedClient, "descend", descend)
        trainer = build(name, folder, model, **settings)
        with pytest.raises(Killed):
            trainer.train()


def assert_same_run(one, other):
    assert torch.equal(one.server.vector, other.server.vector)
    assert torch.equal(one.server.buffers, other.server.buffers)
    assert comparable(one.history) == comparable(other.history)
    assert one.client_history == other.client_history
    assert (one.best, one.last, one.status) == (other.best, other.last, other.status)
    for a, b in [(one.best, other.best), (one.last, other.last)]:
        assert torch.equal(a[1].said, b[1].said)
        assert a[1].said_of_all.keys() == b[1].said_of_all.keys()
        assert all(torch.equal(p, b[1].said_of_all[key]) for key, p in a[1].said_of_all.items())
    for a, b in zip(one.clients, other.clients, strict=True):
        assert a.steps == b.steps
        assert a.state.keys() == b.state.keys()
        assert all(torch.equal(a.state[key], b.state[key]) for key in a.state)
    assert one.evaluate_global_model() == other.evaluate_global_model()


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_killed_inside_a_clients_training(name, tmp_path, monkeypatch):
    whole = build(name, None)
    whole.train()
    die_in_training(monkeypatch, name, tmp_path, Normed, 4)
    resumed = build(name, tmp_path)
    resumed.train()
    assert_same_run(whole, resumed)


@pytest.mark.parametrize("name", ["scaffold-1", "ditto", "finetune"])
def test_layers_that_draw_random_numbers(name, tmp_path, monkeypatch):
    whole = build(name, None, Dropped)
    whole.train()
    die_in_training(monkeypatch, name, tmp_path, Dropped, 3)
    torch.manual_seed(123)
    resumed = build(name, tmp_path, Dropped)
    resumed.train()
    assert_same_run(whole, resumed)


@pytest.mark.parametrize("name", ["fedavg", "scaffold-1", "ditto", "finetune", "moon"])
def test_augmented_training(name, tmp_path, monkeypatch):
    changes = {"augmentation": {"preset": "photo", "mixup": 0.4}}
    whole = build(name, None, **changes)
    whole.train()
    die_in_training(monkeypatch, name, tmp_path, Normed, 4, **changes)
    torch.manual_seed(123)
    resumed = build(name, tmp_path, **changes)
    resumed.train()
    assert_same_run(whole, resumed)
    plain = build(name, None)
    plain.train()
    assert not torch.equal(plain.server.vector, whole.server.vector)


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        ("fedavg", {"rule": "fltrust", "rule_params": {"root_patients": 4}}),
        ("scaffold", {"rule": "centred_clipping", "rule_params": {"pre_aggregation": "bucketing"}}),
        ("scaffold", {"links": {"mimic": {}}, "rule": "multi_krum"}),
        ("fedbn", {"links": {"gaussian": {}}, "rule": "trimmed_mean"}),
    ],
    ids=lambda one: one if isinstance(one, str) else one["rule"],
)
def test_rules_and_attackers(name, chain, tmp_path, monkeypatch):
    """The server trains on a root set, buckets and noise are drawn, and one client is copied."""
    settings = {"chain": {**chain, "attackers": 1}, "sizes": (8, 16, 12, 6, 9, 7)}
    settings["clients_per_round"] = 5
    whole = build(name, None, **settings)
    whole.train()
    die_in_training(monkeypatch, name, tmp_path, Normed, 13, **settings)
    torch.manual_seed(123)
    resumed = build(name, tmp_path, **settings)
    resumed.train()
    assert_same_run(whole, resumed)


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "fedbn"])
def test_links_with_state_and_random_numbers(name, tmp_path, monkeypatch):
    """Quantisation draws random numbers, and the other link's state decides its next column."""
    chain = {"links": {"quantize": {"bits": 4}, "links:DropOut": {}}, "rule": "median"}
    whole = build(name, None, chain=chain)
    whole.train()
    die_in_training(monkeypatch, name, tmp_path, Normed, 7, chain=chain)
    torch.manual_seed(123)
    resumed = build(name, tmp_path, chain=chain)
    assert resumed.server.chain.state["links:DropOut"] == {}
    resumed.train()
    assert_same_run(whole, resumed)
    assert [row["dropped"] for row in resumed.history[1:]].count(1.0) > 0


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "fedbn", "ditto"])
def test_noised_descents_and_their_accounts(name, tmp_path, monkeypatch):
    """Client 0 stops when its budget is spent, in the resumed run in the same round."""
    params = {"noise_multiplier": 1.0, "target_epsilon": 7.0, "views": 2}
    changes = {
        "chain": {"links": {"dp_image": params}},
        "local_steps": 2,
        "augmentation": {"preset": "xray"},
    }
    monkeypatch.setitem(ALGORITHMS, "fedbn", {"layers": "normalization"})
    whole = build(name, None, Grouped, **changes)
    whole.train()
    die_in_training(monkeypatch, name, tmp_path, Grouped, 5, **changes)
    torch.manual_seed(123)
    resumed = build(name, tmp_path, Grouped, **changes)
    resumed.train()
    assert_same_run(whole, resumed)
    assert whole.server.chain.record() == resumed.server.chain.record()
    clients = whole.server.chain.record()["dp_image"]["clients"].values()
    assert any(client["spent_from_round"] for client in clients)


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "fedbn"])
@pytest.mark.parametrize("kind", ["budget", "drawn", "distributed"])
def test_noised_sums_and_their_accounts(name, kind, tmp_path, monkeypatch):
    """Hospital-level privacy: counts, the moving bound and all draws are those of the whole run."""
    params = {"noise_multiplier": 2.0, "max_noise_ratio": 99.0, "adaptive": {"bit_noise": 0.8}}
    links, others = {"dp_hospital": params}, {"clients_per_round": 2}
    if kind == "budget":
        params["target_epsilon"] = 3.0
    elif kind == "drawn":
        params["sampling_rate"], others = 0.6, {"clients_per_round": None}
    else:
        del params["adaptive"]
        params["noise"], links["secure_aggregation"] = "distributed", {}
        others = {"clients_per_round": None}
    changes = {"chain": {"links": links}, "local_steps": 2, "weighting": "uniform", **others}
    whole = build(name, None, Grouped, **changes)
    whole.train()
    die_in_training(monkeypatch, name, tmp_path, Grouped, 5, **changes)
    torch.manual_seed(123)
    resumed = build(name, tmp_path, Grouped, **changes)
    resumed.train()
    assert_same_run(whole, resumed)
    assert whole.server.chain.record() == resumed.server.chain.record()
    assert whole.server.chain.privacy() == resumed.server.chain.privacy()
    spent = whole.server.chain.record()["dp_hospital"]["spent_from_round"]
    assert bool(spent) == (kind == "budget")


@pytest.mark.parametrize("name", ["fedbn", "scaffold"])
@pytest.mark.parametrize("params", [{}, {"share": 0.5}])
def test_encrypted_sums(name, params, tmp_path, monkeypatch):
    """New keys are drawn, and with them other ciphertexts; the sums and the bytes are the same."""
    changes = {"chain": {"links": {"ckks": params}}, "clients_per_round": None}
    whole = build(name, None, **changes)
    whole.train()
    die_in_training(monkeypatch, name, tmp_path, Normed, 8, **changes)
    resumed = build(name, tmp_path, **changes)
    resumed.train()
    assert_same_run(whole, resumed)
    assert whole.server.chain.record() == resumed.server.chain.record()


@pytest.mark.parametrize("number", [0, 1, 3, 5])
def test_killed_between_rounds(number, tmp_path):
    def die(row):
        if row["round"] == number:
            raise Killed

    whole = build("scaffold", None)
    whole.train()
    killed = build("scaffold", tmp_path)
    killed.on_round = die
    with pytest.raises(Killed):
        killed.train()
    resumed = build("scaffold", tmp_path)
    again = []
    resumed.on_round = lambda row: again.append(row["round"])
    resumed.train()
    assert again == list(range(number, 6)), "only what was lost is done again"
    assert_same_run(whole, resumed)


def test_killed_after_the_last_round(tmp_path):
    whole = build("finetune", tmp_path)
    whole.train()
    resumed = build("finetune", tmp_path)
    resumed.train()
    assert_same_run(whole, resumed)


def test_killed_while_the_checkpoint_is_written(tmp_path, monkeypatch):
    from medfl.federated import checkpoint

    whole = build("scaffold", None)
    whole.train()
    saves, original = 0, torch.save

    def save(state, file):
        nonlocal saves
        saves += 1
        if saves == 3:
            file.write(b"half a checkpoint")
            raise Killed
        original(state, file)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.torch, "save", save)
        trainer = build("scaffold", tmp_path)
        with pytest.raises(Killed):
            trainer.train()
    resumed = build("scaffold", tmp_path)
    resumed.train()
    assert_same_run(whole, resumed)


def test_a_checkpoint_of_another_run_or_a_broken_one_is_not_resumed(tmp_path):
    from medfl.federated.checkpoint import NAME

    build("fedavg", tmp_path).train()
    other = build("fedavg", tmp_path)
    other.fingerprint = "another"
    rounds = []
    other.on_round = lambda row: rounds.append(row["round"])
    other.train()
    assert rounds[0] == 0
    (tmp_path / NAME).write_bytes(b"not a checkpoint")
    broken = build("fedavg", tmp_path)
    broken.on_round = lambda row: rounds.append(row["round"])
    broken.train()
    assert rounds.count(0) == 2


DIE = """
import os, signal, sys
sys.path[:0] = sys.argv[1:3]
from test_resume import execute_small
from medfl.config import FederatedConfig
from medfl.store import Sample, write_store
from medfl.federated import FederatedClient

calls, original = 0, FederatedClient.train

def train(self, *given):
    global calls
    result = original(self, *given)
    calls += 1
    if calls == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

FederatedClient.train = train
execute_small(sys.argv[3], "killed")
"""


def execute_small(base: str, folder: str) -> None:
    """What `medfl run` does, on the store and split in ``base``."""
    saving.CHECKPOINT_SECONDS = 0
    config = FederatedConfig(
        dataset="test",
        partition="iid",
        algorithm="scaffold",
        num_clients=3,
        rounds=4,
        batch_size=8,
        clients_per_round=2,
        device="cpu",
        workers=1,  # clients train in the process that is killed
    )
    root = Path(base)
    execute(config, root / "store", root / "split" / "seed0.csv", root / folder)


def test_a_real_kill(tmp_path):
    memory = small_store(60, size=8)
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), f"g{i}") for i, k in enumerate(memory.labels)
    ]
    store = write_store(tmp_path / "store", memory.info, samples, memory.images)
    (tmp_path / "split").mkdir()
    split_of(store, [12, 16, 8]).write(tmp_path / "split" / "seed0.csv")
    (tmp_path / "split" / "seed0.heterogeneity.json").write_text('{"partition": "iid", "seed": 0}')
    package = str(Path(trainer_module.__file__).parents[2])
    tests = Path(__file__).parents[1]
    here = [str(tests / "identities"), str(tests)]
    done = subprocess.run(
        [sys.executable, "-c", DIE, *here, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "killed" / "metrics.json").exists()
    execute_small(str(tmp_path), "killed")
    assert "going on after round 2" in (tmp_path / "killed" / "run.log").read_text()
    execute_small(str(tmp_path), "whole")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert sorted(p.name for p in whole.iterdir()) == sorted(p.name for p in killed.iterdir())
    for name in ("model.safetensors", "clients.csv", "config.yaml", "predictions.npz"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
    rows = [comparable(list(csv.DictReader((f / "rounds.csv").open()))) for f in (whole, killed)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 5
    assert np.isfinite(float(rows[0][-1]["test_accuracy"]))
