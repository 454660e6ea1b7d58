"""What a run counts, weighs and survives."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from federations import (
    ALGORITHMS,
    HEADED,
    Linear,
    Normed,
    comparable,
    federation,
    models,
    small_store,
)
from softmax import Softmax, close

from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedTrainer
from medfl.federated.fingerprint import fingerprint
from medfl.federated.outcome import run_metrics, write_record
from medfl.results.columns import CLIENTS, ROUNDS, names_in


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
def test_fedavg_by_hand(weighting):
    trainer = federation(weighting=weighting, clients_per_round=2, rounds=4, momentum=0.3)
    problem = Softmax(trainer)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            y = [problem.descend(x, problem.batches(k, number), 0.1, 0.3) for k in chosen]
            p = problem.share(chosen) if weighting == "samples" else [0.5, 0.5]
            new = p @ np.array(y)
            row = trainer.history[number]
            assert row["update_norm"] == pytest.approx(np.linalg.norm(new - x), rel=1e-9)
            x = new
        assert close(seen, x)


def extra(name):
    """Values that travel besides the model, (down, up), for a linear model of 111 parameters."""
    numbers = {"fednova": (0, 1), "fedexp": (0, 1), "qfedavg": (0, 1), "feddgga": (0, 2)}
    return ({"scaffold": (111, 111), "scaffold-1": (111, 111)} | numbers).get(name, (0, 0))


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_bytes(name):
    # 36 pixels · 3 classes + 3 biases = 111 values of 8 bytes; 2 of 3 clients a round.
    kind = Normed if name in HEADED else Linear
    size = 243 + 8 if name in ("moon", "fedrod") else 111
    if name in ("fedper", "fedrep"):
        size = 243 + 8 - (64 * 3 + 3)  # without the head
    trainer = federation(
        name.split("-")[0], ALGORITHMS[name], model=kind, clients_per_round=2, rounds=3
    )
    trainer.train()
    down, up = (0, 0) if name in ("local", "centralized") else (size, size)
    more_down, more_up = extra(name)
    for number, row in enumerate(trainer.history):
        assert row["bytes_down"] == (number > 0) * 2 * 8 * (down + more_down)
        assert row["bytes_up"] == (number > 0) * 2 * 8 * (up + more_up)
        assert row["bytes_total"] == number * 2 * 8 * (down + more_down + up + more_up)
    communication = run_metrics(trainer)["communication"]
    assert communication["bytes_up"] == 3 * 2 * 8 * (up + more_up)
    assert communication["bytes_down"] == 3 * 2 * 8 * (down + more_down)


def test_the_training_loss_is_the_weighted_mean_of_batch_losses():
    trainer = federation(sizes=(8, 16), rounds=1, batch_size=100)
    problem = Softmax(trainer)
    losses = []
    for k in range(2):
        rows = problem.rows(k)
        scores = problem.x[rows] @ problem.start[:-3].reshape(3, -1).T + problem.start[-3:]
        right = scores[np.arange(len(rows)), problem.y[rows]]
        losses.append(np.mean(np.log(np.exp(scores).sum(axis=1)) - right))
    trainer.train()
    expected = (8 * losses[0] + 16 * losses[1]) / 24
    assert trainer.history[1]["train_loss"] == pytest.approx(expected, abs=1e-12)


def test_rows_of_rounds_that_are_not_evaluated():
    trainer = federation(rounds=5, evaluate_every=2)
    trainer.train()
    assert [row["round"] for row in trainer.history] == [0, 1, 2, 3, 4, 5]
    assert [row["evaluated"] for row in trainer.history] == [1, 0, 1, 0, 1, 1]
    assert "test_accuracy" not in trainer.history[1]
    rounds = [row["round"] for row in trainer.client_history]
    assert rounds == [number for number in (0, 2, 4, 5) for _ in range(6)]
    assert [row["participants"] for row in trainer.history] == [0, 3, 3, 3, 3, 3]


def test_the_global_model_on_everyone():
    trainer = federation(model=Normed, rounds=4, learning_rate=0.3)
    trainer.train()
    server, data = trainer.server, trainer.data
    server.model.load(server.vector, server.buffers)
    module = server.model.module.eval()
    for fold in ("val", "test"):
        rows = data.pooled(fold)
        with torch.no_grad():
            logits = module(data.inputs(rows))
        accuracy = float((logits.argmax(dim=1) == data.labels[rows]).double().mean())
        loss = torch.nn.functional.cross_entropy(logits, data.labels[rows]).item()
        assert trainer.history[-1][f"{fold}_accuracy"] == pytest.approx(accuracy, abs=1e-12)
        assert trainer.history[-1][f"{fold}_loss"] == pytest.approx(loss, abs=1e-9)
    worst = min(row["accuracy"] for row in trainer.client_history[-6:] if row["fold"] == "test")
    assert trainer.history[-1]["worst_client_accuracy"] == worst


def test_every_client_is_judged_whoever_was_sampled():
    trainer = federation(rounds=4, clients_per_round=1, evaluate_every=1)
    trainer.train()
    for number, row in enumerate(trainer.history):
        rows = [entry for entry in trainer.client_history if entry["round"] == number]
        assert [entry["client"] for entry in rows] == [0, 0, 1, 1, 2, 2]
        test = [entry for entry in rows if entry["fold"] == "test"]
        assert row["worst_client_accuracy"] == min(entry["accuracy"] for entry in test)
        assert row["test_accuracy"] == pytest.approx(
            sum(entry["n"] * entry["accuracy"] for entry in test) / sum(e["n"] for e in test)
        )


def test_the_best_round_is_chosen_on_validation():
    trainer = federation(rounds=2, evaluate_every=1)
    scores = iter([(0.3, 0.9), (0.8, 0.1), (0.8, 0.5)])
    original = trainer.evaluator.evaluate

    def evaluate(everyone):
        result, (val, test) = original(everyone), next(scores)
        result.pooled["val"]["balanced_accuracy"] = val
        result.pooled["test"]["balanced_accuracy"] = test
        return result

    trainer.evaluator.evaluate = evaluate
    trainer.train()
    (best, then), (last, _) = trainer.best, trainer.last
    assert (best, last) == (1, 2), "the first of equals, whatever the test says"
    assert then.pooled["test"]["balanced_accuracy"] == 0.1
    record = run_metrics(trainer)
    assert (record["best"]["round"], record["last"]["round"]) == (1, 2)


@pytest.mark.parametrize(
    ("task", "primary", "chosen"),
    [
        ("multiclass", "auto", "balanced_accuracy"),
        ("multilabel", "auto", "auc_macro"),
        ("multiclass", "kappa", "kappa"),
    ],
)
def test_the_primary_metric_chooses_the_best_round_and_has_the_target(task, primary, chosen):
    store = small_store(60)
    store.info = replace(store.info, task=task)
    if task == "multilabel":
        store.labels = np.eye(3, dtype=np.uint8)[store.labels]
    trainer = federation(store=store, rounds=2, evaluate_every=1, primary=primary, target=0.7)
    original, scores = trainer.evaluator.evaluate, iter((0.6, 0.8, 0.7))

    def evaluate(everyone):
        result = original(everyone)
        result.pooled["val"] = dict.fromkeys(result.pooled["val"], 0.9)
        result.pooled["val"][chosen] = next(scores)
        return result

    trainer.evaluator.evaluate = evaluate
    trainer.train()
    record = run_metrics(trainer)
    assert trainer.primary == record["primary"] == chosen
    assert record["best"]["round"] == record["communication"]["rounds_to_target"] == 1


@pytest.mark.parametrize("name", ["fedavg", "ditto", "finetune", "fedadam", "local"])
def test_divergence_keeps_the_record(name, tmp_path):
    trainer = federation(name, model=Normed, rounds=6, learning_rate=1.0)
    trainer.train()
    assert trainer.status == "completed"
    wild = federation(name, model=Normed, rounds=6, learning_rate=1e200, evaluate_every=1)
    wild.train()
    assert wild.status == "diverged"
    assert "finite" in wild.reason
    # A tuned model is already lost at round 0; a trained one after it.
    assert len(wild.history) < 7
    assert len(wild.history) >= 1 or name == "finetune"
    metrics = write_record(tmp_path, wild, {}, {})
    assert metrics["status"] == "diverged"
    assert json.loads((tmp_path / "metrics.json").read_text())["reason"] == wild.reason
    assert (tmp_path / "rounds.csv").read_text().count("\n") == 1 + len(wild.history)


@pytest.mark.parametrize("name", ["fedavg", "local", "scaffold"])
def test_divergence_is_noticed_where_it_happens(name):
    # Not at the evaluation five rounds later, which `local` would otherwise wait for.
    trainer = federation(name, model=Normed, rounds=6, learning_rate=1e200, evaluate_every=6)
    trainer.train()
    assert trainer.status == "diverged"
    assert "client 0" in trainer.reason
    assert [row["round"] for row in trainer.history] == [0]


def test_a_personal_model_that_diverges_is_a_divergence():
    # The global model is fine; only the tuning explodes.
    trainer = federation("finetune", {"epochs": 50}, model=Linear, rounds=2, learning_rate=0.1)
    original = FederatedClient.descend

    def descend(self, model, purpose, **options):
        result = original(self, model, purpose, **options)
        if purpose == "finetune" and self.server.round == 2:
            model.vector.mul_(math.inf)
        return result

    client = trainer.clients[1]
    client.descend = descend.__get__(client)
    trainer.train()
    assert trainer.status == "diverged"
    words = "round 2: a model's predictions are not finite, those of client 1's own model"
    assert trainer.reason == words
    assert [row["round"] for row in trainer.history] == [0, 1]


def test_statistics_that_are_not_finite_are_a_divergence():
    trainer = federation(model=Normed, rounds=2)
    original = trainer.server.step

    def step(total):
        original(total)
        trainer.server.buffers.fill_(math.nan)

    trainer.server.step = step
    trainer.train()
    assert trainer.status == "diverged"


def test_multi_label_training():
    store = small_store(60, classes=3)
    random = np.random.default_rng(1)
    info = store.info.__class__(**{**vars(store.info), "task": "multilabel"})
    store.info = info
    store.labels = np.stack([store.labels == k for k in range(3)], 1).astype(np.uint8)
    store.labels[:, 2] = random.integers(2, size=60)
    trainer = federation(store=store, sizes=(12, 20), rounds=1, batch_size=100)
    data, x0 = trainer.data, trainer.server.vector.clone()
    updates = []
    for client in trainer.clients:
        images = data.inputs(client.rows).flatten(1)
        scores = images @ x0[:-3].view(3, -1).T + x0[-3:]
        error = (scores.sigmoid() - torch.from_numpy(store.labels)[client.rows]) / scores.numel()
        step = torch.cat([(error.T @ images).flatten(), error.sum(0)])
        updates.append((len(client.rows), x0 - 0.1 * step))
    trainer.train()
    expected = sum(n * y for n, y in updates) / 32
    assert torch.allclose(trainer.server.vector, expected, rtol=0, atol=1e-10)
    rows = data.pooled("test")
    guess = trainer.server.model.module(data.inputs(rows)) >= 0
    accuracy = (guess.numpy() == store.labels[rows]).mean()
    assert trainer.history[-1]["test_accuracy"] == pytest.approx(accuracy)


def test_the_record(tmp_path):
    trainer = federation(
        "scaffold",
        model=Normed,
        rounds=3,
        evaluate_every=3,
        clients_per_round=2,
        target=1e-9,
    )
    trainer.train()
    metrics = write_record(tmp_path, trainer, {"label_js": 0.5}, {"git_commit": "abc"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clients.csv",
        "metrics.json",
        "model.safetensors",
        "predictions.npz",
        "rounds.csv",
    ]
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    lines = (tmp_path / "rounds.csv").read_text().splitlines()
    assert lines[0] == ",".join(names_in(ROUNDS))
    assert len(lines) == 5
    assert lines[2].endswith(",0" + 14 * ","), "nothing stands where nothing was evaluated"
    lines = (tmp_path / "clients.csv").read_text().splitlines()
    assert lines[0] == ",".join(names_in(CLIENTS))
    assert len(lines) == 1 + 2 * 6
    assert (metrics["status"], metrics["rounds"], metrics["num_clients"]) == ("completed", 3, 3)
    assert metrics["parameters"] == 243
    assert metrics["evaluated"] == "global"
    assert "averaged" in metrics["statistics"]
    assert (metrics["everyone_by"], metrics["primary"]) == ("server", "balanced_accuracy")
    assert metrics["last"]["everyone"] == metrics["last"]["test"]
    assert metrics["normalization"] == {
        "mean": list(trainer.data.mean),
        "std": list(trainer.data.std),
    }
    assert metrics["communication"]["rounds_to_target"] == 0
    steps = [client["steps"] for client in metrics["clients"].values()]
    assert metrics["steps"] == sum(steps) == sum(row["steps"] for row in trainer.history)
    assert metrics["clients"]["1"]["n_train"] == 16
    assert set(metrics["last"]) == {"round", "val", "test", "everyone"}
    fairness, clients = metrics["fairness"], metrics["clients"]
    assert (fairness["n"], fairness["left_out"]) == (3, {})
    worst = clients[fairness["worst_client"]]
    assert fairness["worst"] == min(one["test"]["accuracy"] for one in clients.values())
    assert fairness["worst"] == worst["test"]["accuracy"]
    assert fairness["worst_n_test"] == worst["n_test"] == worst["test"]["n"]
    assert fairness["worst_patients"] == worst["test_patients"] == worst["test"]["patients"]
    assert metrics["heterogeneity"] == {"label_js": 0.5}

    from safetensors.torch import load_file

    saved, fresh = load_file(tmp_path / "model.safetensors"), Normed().double()
    fresh.load_state_dict(saved)
    vector = torch.nn.utils.parameters_to_vector(fresh.parameters())
    assert torch.equal(vector, trainer.server.vector)


def test_clients_and_split_must_agree():
    trainer = federation()
    with pytest.raises(MedflError, match="2 clients were given, but the split has 3"):
        FederatedTrainer(trainer.config, trainer.server, trainer.clients[:2])
    with pytest.raises(MedflError, match="at least one client"):
        FederatedTrainer(trainer.config, trainer.server, [])


def test_a_split_without_a_fold_or_without_training_data_is_refused():
    from federations import split_of

    from medfl.federated import FederatedData, FederatedServer

    store = small_store(60)
    for change, message in (("test", "no test samples"), ("val", "no val samples")):
        split = split_of(store, [8, 8])
        split.folds[split.folds == change] = "train"
        data = FederatedData(store, split)
        config = federation(sizes=(8, 8)).config
        server = FederatedServer(config, data, model=Linear())
        with pytest.raises(MedflError, match=message):
            FederatedTrainer(config, server, [FederatedClient(k, data) for k in (0, 1)])
    split = split_of(store, [8, 0])
    data = FederatedData(store, split)
    server = FederatedServer(config, data, model=Linear())
    with pytest.raises(MedflError, match=r"\[1\].*no training samples"):
        FederatedTrainer(config, server, [FederatedClient(k, data) for k in (0, 1)])


def test_threads_and_device_are_not_part_of_a_run():
    one = federation(device="cpu", threads=1)
    assert fingerprint(one.config) == fingerprint(federation(device="auto", threads=2).config)
    assert fingerprint(one.config) != fingerprint(federation(learning_rate=0.2).config)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there():
    from medfl.federated.device import choose_device

    with pytest.raises(MedflError, match="sees no GPU"):
        choose_device("cuda")
    with pytest.raises(MedflError, match="choose auto, cpu, cuda"):
        choose_device("quantum")
    assert choose_device("auto").type == "cpu"


def test_a_gpu_that_is_not_there(monkeypatch):
    from medfl.federated.device import choose_device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(MedflError, match="numbered 0 to 1: choose one of them"):
        choose_device("cuda:2")
    assert choose_device("cuda:1").index == 1


def test_training_again_gives_the_same():
    one, other = federation(model=Normed), federation(model=Normed)
    one.train()
    other.train()
    assert comparable(one.history) == comparable(other.history)
