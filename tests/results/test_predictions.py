"""predictions.npz: every number of the record can be made from it again, by scikit-learn alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from federations import Normed, federation, small_store
from sklearn import metrics as sk

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint
from medfl.federated.outcome import write_record
from medfl.results.predictions import (
    ALL,
    ARRAYS,
    OWN,
    ModelPredictions,
    read_predictions,
    write_predictions,
)
from medfl.results.record import read_record

# What probabilities lose as float32, and a logarithm makes of it.
CLOSE = 1e-6


def multilabel_store():
    store = small_store(68)
    random = np.random.default_rng(1)
    store.info = store.info.__class__(**{**vars(store.info), "task": "multilabel"})
    store.labels = random.integers(2, size=(68, 3)).astype(np.uint8)
    return store


def trained(tmp_path, algorithm, **settings):
    trainer = federation(
        algorithm, model=Normed, rounds=3, evaluate_every=1, sizes=(8, 16, 20), **settings
    )
    trainer.train()
    record = write_record(tmp_path, trainer, {}, {})
    return trainer, record, read_predictions(tmp_path / "predictions.npz")


def multiclass(arrays, rows):
    y, p = arrays["label"][rows], arrays["probabilities"][rows].astype(float)
    p /= p.sum(axis=1, keepdims=True)
    guess = p.argmax(axis=1)
    present = np.unique(y)
    aucs = [sk.roc_auc_score(y == k, p[:, k]) for k in present]
    return {
        "accuracy": sk.accuracy_score(y, guess),
        "balanced_accuracy": sk.recall_score(y, guess, labels=present, average="macro"),
        "auc_macro": np.mean(aucs),
        "f1_macro": sk.f1_score(y, guess, labels=present, average="macro"),
        "kappa": sk.cohen_kappa_score(y, guess),
        "log_loss": sk.log_loss(y, p, labels=range(3)),
    }


def multilabel(arrays, rows):
    y, p = arrays["label"][rows], arrays["probabilities"][rows].astype(float)
    guess = p >= 0.5
    return {
        "accuracy": (y == guess).mean(),
        "subset_accuracy": sk.accuracy_score(y, guess),
        "auc_macro": sk.roc_auc_score(y, p, average="macro"),
        "f1_macro": sk.f1_score(y, guess, average="macro"),
        "log_loss": np.mean([sk.log_loss(y[:, k], p[:, k]) for k in range(3)]),
    }


def agree(record, found):
    assert {name: record[name] for name in found} == pytest.approx(found, abs=CLOSE)


@pytest.mark.parametrize("measure", [multiclass, multilabel])
@pytest.mark.parametrize("algorithm", ["fedavg", "fedbn", "ditto", "local", "centralized"])
def test_the_record_can_be_made_again_from_the_predictions(tmp_path, algorithm, measure):
    store = {"store": multilabel_store()} if measure is multilabel else {}
    _, record, arrays = trained(tmp_path, algorithm, **store)
    own, test = arrays["view"] == "own", arrays["fold"] == "test"
    for moment in ("last", "best"):
        for fold in ("val", "test"):
            rows = own & (arrays["moment"] == moment) & (arrays["fold"] == fold)
            assert rows.any()
            agree(record[moment][fold], measure(arrays, rows))
    last = (arrays["moment"] == "last") & test
    everyone = measure(arrays, last & own)  # where all clients use the server's model
    if algorithm == "ditto":
        everyone = measure(arrays, last & ~own & (arrays["owner"] == ALL))
    if algorithm in ("fedbn", "local"):  # the mean over the clients' models, each on everyone
        found = [measure(arrays, last & ~own & (arrays["owner"] == k)) for k in range(3)]
        everyone = {name: np.mean([one[name] for one in found]) for name in found[0]}
    agree(record["last"]["everyone"], everyone)
    for client, said in record["clients"].items():
        rows = last & own & (arrays["client"] == int(client))
        assert said["test"]["n"] == rows.sum()
        found = measure(arrays, rows)
        assert said["test"]["accuracy"] == pytest.approx(found["accuracy"], abs=CLOSE)
        assert said["test"]["log_loss"] == pytest.approx(found["log_loss"], abs=CLOSE)


@pytest.mark.parametrize(
    ("algorithm", "own", "everyone"),
    [
        ("fedavg", {-1}, set()),
        ("centralized", {-1}, set()),
        ("fedbn", {0, 1, 2}, {0, 1, 2}),
        ("ditto", {0, 1, 2}, {-1}),
        ("local", {0, 1, 2}, {0, 1, 2}),
    ],
)
def test_every_row_says_whose_model_judged_which_sample(tmp_path, algorithm, own, everyone):
    trainer, record, arrays = trained(tmp_path, algorithm)
    for view, owners in (("own", own), ("everyone", everyone)):
        assert set(arrays["owner"][arrays["view"] == view]) == owners
    # For everyone it is done after the last round, which may be the best one as well.
    often = 1 + (record["best"]["round"] == record["last"]["round"])
    split, data = trainer.data.split, trainer.data
    evaluated = np.flatnonzero(split.folds != "train")
    tests = int((split.folds == "test").sum())
    rows = 2 * len(evaluated) + often * len(everyone) * tests
    assert len(arrays["view"]) == rows == record["predictions"]["rows"]
    row_of = {name: row for row, name in enumerate(split.samples)}
    rows = np.array([row_of[name] for name in arrays["sample"]])
    assert set(rows) == set(evaluated)
    assert (arrays["group"] == data.groups[rows]).all()
    assert (arrays["client"] == split.clients[rows]).all()
    assert (arrays["fold"] == split.folds[rows]).all()
    assert (arrays["label"] == data.labels[rows].numpy()).all()
    alone = (arrays["view"] == "own") & (arrays["owner"] != ALL)
    assert (arrays["owner"] == arrays["client"])[alone].all()
    assert list(arrays["classes"]) == ["class0", "class1", "class2"]
    assert str(arrays["task"]) == "multiclass"
    assert arrays["probabilities"].dtype == np.float32
    assert record["predictions"]["size"] == (tmp_path / "predictions.npz").stat().st_size


def test_the_probabilities_are_the_models(tmp_path):
    trainer, _, arrays = trained(tmp_path, "fedavg")
    model, data = trainer.server.model, trainer.data
    trainer.server.load(model, trainer.server.vector, trainer.server.buffers)
    last = arrays["moment"] == "last"
    rows = [int(name[1:]) for name in arrays["sample"][last]]
    expected = model.module.eval()(data.inputs(data._rows(np.array(rows)))).softmax(dim=1)
    assert np.abs(arrays["probabilities"][last] - expected.detach().numpy()).max() < 1e-7


@pytest.mark.parametrize(("algorithm", "pooled"), [("centralized", True), ("local", False)])
def test_the_record_says_whether_all_data_was_pooled(tmp_path, algorithm, pooled):
    trained(tmp_path, algorithm)
    assert read_record(tmp_path / "metrics.json").pooled is pooled


def test_a_run_may_leave_them_out(tmp_path):
    trainer = federation(rounds=1, predictions=False)
    trainer.train()
    record = write_record(tmp_path, trainer, {}, {})
    assert record["predictions"] is None
    assert not (tmp_path / "predictions.npz").exists()
    assert fingerprint(FederatedConfig()) == fingerprint(FederatedConfig(predictions=False))


def test_a_run_that_diverges_at_once_has_none(tmp_path):
    trainer = federation("finetune", model=Normed, rounds=6, learning_rate=1e200)
    trainer.train()
    assert trainer.history == []
    record = write_record(tmp_path, trainer, {}, {})
    assert record["predictions"]["rows"] == 0
    arrays = read_predictions(tmp_path / "predictions.npz")
    assert arrays["probabilities"].shape == (0, 3)
    assert {len(arrays[name]) for name in ARRAYS} == {0}


def test_equal_predictions_are_equal_bytes(tmp_path):
    samples = {
        "fold": np.array(["val", "test"]),
        "sample": np.array(["a", "ü"]),
        "group": np.array(["p1", "p2"]),
        "client": np.array([0, 1]),
        "label": np.array([1, 0]),
    }
    block = ModelPredictions(
        OWN, ALL, "last", np.array([1, 0]), np.array([[0.25, 0.75], [0.5, 0.5]])
    )
    digests = set()
    for name in ("one", "two"):
        assert write_predictions(tmp_path / name, samples, [block], ("x", "y"), "multiclass") == 2
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    arrays = read_predictions(tmp_path / "one")
    assert arrays["sample"].tolist() == ["ü", "a"]
    assert arrays["probabilities"].tolist() == [[0.25, 0.75], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("label", 3, "its labels lie in .* to 3, outside 0 to 2"),
        ("label", -1, "its labels lie in -1 to "),
        ("classes", None, "its labels and probabilities are not of its classes"),
    ],
)
def test_labels_of_no_class_are_one_sentence(tmp_path, name, value, words):
    trained(tmp_path, "fedavg")
    path = tmp_path / "predictions.npz"
    arrays = dict(np.load(path))
    if value is None:
        arrays[name] = arrays[name][:2]
    else:
        arrays[name][0] = value
    np.savez(path, **arrays)
    with pytest.raises(MedflError, match=rf"predictions\.npz cannot be read \({words}"):
        read_predictions(path)


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    path = tmp_path / "predictions.npz"
    with pytest.raises(MedflError, match="did not keep its predictions"):
        read_predictions(path)
    for content in (b"", b"PK\3\4" + bytes(50), b"junk"):
        path.write_bytes(content)
        with pytest.raises(MedflError, match="train this run again"):
            read_predictions(path)
    np.savez(path, view=np.array(["global"]))
    with pytest.raises(MedflError, match="train this run again"):
        read_predictions(path)
