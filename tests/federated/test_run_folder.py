"""A run's folder: resumed, kept, refused, and never half written."""

from __future__ import annotations

import errno
import json
import logging
import os
import re

import numpy as np
import pytest
import torch
from federations import small_store, split_of

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import checkpoint, outcome, saving
from medfl.federated import run as run_module
from medfl.federated.fingerprint import fingerprint
from medfl.federated.log import log_to
from medfl.federated.run import execute
from medfl.files import sha256_file
from medfl.partition.write import write_split
from medfl.results import paths
from medfl.store import Sample, Store, write_store

OUTPUTS = paths.run_files(predictions=True)


@pytest.fixture
def place(tmp_path):
    memory = small_store(60, size=8)
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), f"g{i}") for i, k in enumerate(memory.labels)
    ]
    store = write_store(tmp_path / "store", memory.info, samples, memory.images)
    (tmp_path / "iid").mkdir()
    split_of(store, [12, 16, 8]).write(tmp_path / "iid" / "seed0.csv")
    return tmp_path


def run(place, folder="run", overwrite=False, **settings):
    settings = {"rounds": 2, "model": "logistic", "num_clients": 3, "device": "cpu", **settings}
    settings = {"report": {"minimum_cell": 0}, **settings}  # its clients are small
    config = FederatedConfig(**{"dataset": "test", "partition": "iid", **settings})
    split = place / "iid" / "seed0.csv"
    return execute(config, place / "store", split, place / folder, overwrite=overwrite)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_and_its_record(place):
    metrics = run(place)
    assert names(place / "run") == sorted([*OUTPUTS, "run.log"])
    assert json.loads((place / "run" / "metrics.json").read_text()) == metrics
    config = FederatedConfig.read(place / "run" / "config.yaml")
    assert fingerprint(config) == metrics["provenance"]["config_sha256"]
    assert metrics["dataset_title"] == "test"
    assert metrics["timing"]["processor_seconds"] > 0
    assert metrics["timing"]["peak_memory"] > 2**26  # PyTorch alone takes more
    log = (place / "run" / "run.log").read_text()
    assert "round    2/2" in log
    for key in ("code_sha", "store_fingerprint", "split_sha256", "torch", "started"):
        assert metrics["provenance"][key]


def test_a_name_that_no_encoding_has_ends_no_log(tmp_path, capfd):
    """Of a file whose name is no UTF-8: Python reads such bytes as lone surrogates."""
    with log_to(tmp_path / "run.log"):
        logging.getLogger("medfl").debug("read %s", "M\udce9l")
    assert "read M\\udce9l" in (tmp_path / "run.log").read_text(encoding="utf-8")
    assert capfd.readouterr().err == ""


def test_the_table_of_rounds_is_written_as_a_run_goes(place, monkeypatch):
    """It is at each moment the beginning of what it is in the end, small counts hidden likewise."""
    seen = []

    def look(self, row):
        usual(self, row)
        seen.append((place / "run/rounds.csv").read_bytes())

    usual = outcome.RoundsSoFar.__call__
    monkeypatch.setattr(outcome, "SHOWN_SECONDS", 0)
    monkeypatch.setattr(outcome.RoundsSoFar, "__call__", look)
    run(place, report={"minimum_cell": 14})  # one client trains on fewer, another on more
    whole = (place / "run/rounds.csv").read_bytes()
    assert [table.count(b"\n") for table in seen] == [2, 3, 4]
    assert all(whole.startswith(table) for table in seen)
    header, *rows = whole.decode().splitlines()
    steps = header.split(",").index("steps")
    assert [row.split(",")[steps] for row in rows] == ["", "", ""]


def test_a_complete_run_is_not_done_again(place):
    first = run(place)
    (place / "run" / "checkpoint.pt").touch()  # as if it was killed just after its record
    stamp = (place / "run" / "model.safetensors").stat().st_mtime_ns
    assert run(place) == first
    assert not (place / "run" / "checkpoint.pt").exists()
    assert run(place, overwrite=True, threads=2) == first
    assert (place / "run" / "model.safetensors").stat().st_mtime_ns == stamp


def test_predictions_are_kept_where_they_are_asked_for(place):
    first = run(place, predictions=False)
    assert "predictions.npz" not in names(place / "run")
    assert run(place, predictions=False) == first, "the run is complete without them"
    second = run(place)
    assert second["predictions"]["rows"] == 2 * (60 - 36)  # last and best, what is not for training
    assert "predictions.npz" in names(place / "run")
    stamp = (place / "run" / "predictions.npz").stat().st_mtime_ns
    assert run(place, predictions=False) == second, "what is there does no harm"
    assert (place / "run" / "predictions.npz").stat().st_mtime_ns == stamp
    del first["predictions"], second["predictions"]
    for record in (first, second):
        del record["timing"], record["provenance"]["started"], record["provenance"]["stretches"]
        del record["record_sha256"]
    files = [record.pop("files") for record in (first, second)]
    assert files[0]["model.safetensors"] == files[1]["model.safetensors"]
    assert first == second, "keeping them changes no number"


def test_a_run_that_is_made_again_keeps_no_older_predictions(place):
    run(place)
    (place / "run" / "metrics.json").unlink()
    run(place, predictions=False)
    assert "predictions.npz" not in names(place / "run")


def test_a_record_of_an_older_schema_is_still_this_run(place):
    first = run(place, predictions=False)
    path = place / "run" / "metrics.json"
    old = json.loads(path.read_text()) | {"schema": 1}
    del old["predictions"], old["fairness"]  # the latter counted other clients
    del old["record_sha256"]
    del first["fairness"], first["record_sha256"]
    path.write_text(json.dumps(old))
    assert run(place, predictions=False) == first


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_record_of_a_newer_medfl_is_not_lost(place, overwrite):
    run(place)
    path = place / "run" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    if overwrite:
        assert run(place, overwrite=True)["schema"] == 3
        return
    with pytest.raises(MedflError, match="written by a newer medfl"):
        run(place)
    assert json.loads(path.read_text())["schema"] == 99


def test_another_configuration_is_refused(place):
    run(place)
    before = {path.name: path.read_bytes() for path in (place / "run").iterdir()}
    with pytest.raises(MedflError, match="another configuration") as error:
        run(place, rounds=3, learning_rate=0.2)
    assert "federated_learning.rounds: 2, now 3" in str(error.value)
    assert "training.learning_rate: 0.05, now 0.2" in str(error.value)
    assert "batch_size" not in str(error.value)
    assert {path.name: path.read_bytes() for path in (place / "run").iterdir()} == before
    assert run(place, rounds=3, learning_rate=0.2, overwrite=True)["rounds"] == 3


def test_a_number_written_in_another_way_is_the_same_run(place):
    first = run(place, algorithm="fedprox", algorithm_params={"mu": "1e-3"})
    written = FederatedConfig.read(place / "run" / "config.yaml")
    assert written.federated_learning.algorithm_params == {"mu": 0.001}
    assert run(place, algorithm="fedprox", algorithm_params={"mu": 0.001}) == first
    with pytest.raises(MedflError, match=r"algorithm_params\.mu: 0\.001, now 0\.01\)"):
        run(place, algorithm="fedprox")


def test_the_same_configuration_on_another_split_is_refused(place):
    first = run(place)
    store = small_store(60, size=8)
    split_of(store, [8, 8, 20]).write(place / "iid" / "seed0.csv")
    with pytest.raises(MedflError, match=r"other code or data \(split_sha256\)"):
        run(place)
    again = run(place, overwrite=True)
    assert again["provenance"]["split_sha256"] != first["provenance"]["split_sha256"]
    assert again["clients"]["2"]["n_train"] == 20


def test_patients_whom_a_split_divides_are_refused_or_counted(place):
    store = Store.open(place / "store")
    groups = store.groups.copy()
    groups[:2] = "g0"  # both train, with client 0
    groups[11:13] = "g11"  # clients 0 and 1 train with one each
    samples = [
        Sample(one, (store.info.classes[k],), group)
        for one, k, group in zip(store.ids, store.labels, groups, strict=True)
    ]
    write_store(place / "store", store.info, samples, np.array(store.images))
    with pytest.raises(MedflError, match=r"1 of 58 groups \(patients\) lie in two clients"):
        run(place)
    assert not (place / "run").exists()
    metrics = run(place, split={"allow_divided_patients": True})
    assert metrics["heterogeneity"]["divided_patients"] == {"clients": 1, "folds": 0}
    assert "1 groups (patients) are at more than one client" in (place / "run/run.log").read_text()


@pytest.mark.parametrize("name", ["thesis.csv", "metrics.json"])
def test_files_of_somebody_else_are_refused(place, name):
    (place / "run").mkdir()
    (place / "run" / name).write_text("a,b\n")
    with pytest.raises(MedflError, match="choose another folder"):
        run(place)
    assert names(place / "run") == [name]


@pytest.mark.parametrize("text", ["", "{", "- a\n", "training: 5\n"])
def test_a_configuration_that_cannot_be_read_is_refused_as_such(place, text):
    run(place)
    (place / "run" / "config.yaml").write_text(text)
    with pytest.raises(MedflError, match=r"config\.yaml .*replace that run with --overwrite"):
        run(place)
    assert names(place / "run") == sorted([*OUTPUTS, "run.log"])
    assert run(place, overwrite=True)["status"] == "completed"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"provenance": null}', None])
def test_a_record_that_is_damaged_is_made_again(place, text):
    first = run(place)
    path = place / "run" / "metrics.json"
    if text is None:  # all but what a reader of it needs
        text = json.dumps({"provenance": first["provenance"]})
    path.write_text(text)
    assert run(place)["last"] == first["last"]
    assert json.loads(path.read_text())["status"] == "completed"


@pytest.mark.parametrize("name", [*OUTPUTS[1:3], OUTPUTS[4]])
def test_an_output_that_was_lost_is_made_again(place, name):
    run(place)
    whole = (place / "run" / name).read_bytes()
    (place / "run" / name).unlink()
    run(place)
    if name != "rounds.csv":  # it says how long the rounds took
        assert (place / "run" / name).read_bytes() == whole
    assert names(place / "run") == sorted([*OUTPUTS, "run.log"])


def stop(*_):
    raise KeyboardInterrupt


def test_snakemake_takes_its_outputs_away_and_the_run_goes_on(place, monkeypatch):
    first = run(place)
    declared = ("metrics.json", "config.yaml", "rounds.csv", "clients.csv")
    for name in declared:
        (place / "run" / name).unlink()
    assert run(place)["last"] == first["last"]

    # Killed before its record: the checkpoint stays, and its rounds are not done again.
    for name in declared:
        (place / "run" / name).unlink()
    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "write_record", stop)
        with pytest.raises(KeyboardInterrupt):
            run(place)
    (place / "run" / "config.yaml").unlink()
    assert (place / "run" / checkpoint.NAME).exists()
    (place / "run" / "run.log").unlink()
    assert run(place)["last"] == first["last"]
    assert "going on after round 2" in (place / "run" / "run.log").read_text()


@pytest.mark.parametrize("name", checkpoint.FILES)
def test_a_folder_where_a_checkpoint_lies_is_refused_before_anything_is_trained(place, name):
    (place / "run" / name).mkdir(parents=True)
    with pytest.raises(MedflError, match=rf"run.{re.escape(name)} is a folder, where a file of"):
        run(place)
    assert "round    1" not in (place / "run" / "run.log").read_text()


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\3\4" + bytes(99), bytes(5000), "a list"])
def test_a_damaged_checkpoint_is_told_and_not_resumed(place, content, capsys):
    first = run(place)
    (place / "run" / "metrics.json").unlink()
    path = place / "run" / checkpoint.NAME
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save([1, 2], path)
    assert run(place)["last"] == first["last"]
    said = capsys.readouterr().err
    assert "checkpoint.pt is damaged: its bytes are not those that were written: starting" in said
    assert "kept as checkpoint.set-aside.pt until this run ends" in said
    assert names(place / "run") == sorted([*OUTPUTS, "run.log"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_clients": 4}, "was made with num_clients 3, but the run has 4"),
        ({"seed": 1}, "was made with seed 0, but the run has 1"),
        ({"partition": "noise-0.1"}, "was made with partition iid, but the run has noise-0.1"),
        ({"algorithm": "scaffold", "optimizer": "adam"}, "needs SGD"),
        ({"algorithm": "fedvag"}, "unknown algorithm `fedvag`"),
        ({"algorithm_params": {"mu": 1}}, "unknown key `mu`"),
        ({"pretrained": True}, "no pretrained weights"),
        ({"num_clients": None, "clients_per_round": 9}, "clients_per_round is 9 of only 3"),
    ],
)
def test_a_run_that_cannot_be_leaves_no_folder(place, settings, message):
    with pytest.raises(MedflError, match=message):
        run(place, **settings)
    assert not (place / "run").exists()


def test_a_replacement_that_cannot_be_costs_no_run(place):
    run(place)
    before = {path.name: path.read_bytes() for path in (place / "run").iterdir()}
    with pytest.raises(MedflError, match="num_clients"):
        run(place, overwrite=True, num_clients=4)
    assert {path.name: path.read_bytes() for path in (place / "run").iterdir()} == before


def test_a_log_on_a_full_disk_ends_the_run(place, monkeypatch):
    def full(self):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(logging.FileHandler, "flush", full)
    with pytest.raises(MedflError, match=r"no space left while writing .*run\.log"):
        run(place)
    assert "metrics.json" not in names(place / "run")


def test_a_missing_split_or_store(place):
    os.rename(place / "iid" / "seed0.csv", place / "elsewhere.csv")
    with pytest.raises(MedflError, match=r"seed0.csv does not exist: make it with `medfl split`"):
        run(place)
    os.rename(place / "store", place / "other")
    with pytest.raises(MedflError, match="store"):
        run(place)
    assert not (place / "run").exists(), "nothing is begun"


@pytest.mark.parametrize("full_at", [*OUTPUTS, checkpoint.NAME])
def test_no_space_left(place, full_at, monkeypatch):
    original = os.replace
    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)

    def replace(source, target):
        if os.path.basename(target) == full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(MedflError, match=f"no space left while writing .*{full_at}"):
            run(place)
    there = names(place / "run")
    assert full_at not in there
    assert "metrics.json" not in there, "an unfinished run does not look finished"
    assert not [name for name in there if name.startswith(".")], "and leaves nothing behind"
    assert run(place)["status"] == "completed"
    assert names(place / "run") == sorted([*OUTPUTS, "run.log"])


def test_a_full_disk_while_torch_writes(tmp_path, monkeypatch):
    """The error comes from inside torch.save, which has a RuntimeError of its own for it."""

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name):
            return getattr(self.file, name)

    original = checkpoint.torch.save
    monkeypatch.setattr(checkpoint.torch, "save", lambda state, file: original(state, Full(file)))
    import torch

    with pytest.raises(MedflError, match="no space left"):
        checkpoint.write(tmp_path, {"x": torch.zeros(1000)})
    assert names(tmp_path) == []


def test_a_split_that_was_edited_is_measured_anew(place, caplog):
    """The record beside it tells of the split that it was made with."""
    store = Store.open(place / "store")
    (place / "iid" / "seed0.csv").unlink()
    write_split(store, "iid", 3, 0, place / "iid" / "seed0.csv")
    first = run(place)["heterogeneity"]
    path = place / "iid" / "seed0.csv"
    assert first["split_sha256"] == sha256_file(path)
    assert "measured anew" not in caplog.text
    text = path.read_text()
    moved = next(line for line in text.splitlines() if line.endswith(",1,train"))
    path.write_text(text.replace(moved, moved.replace(",1,", ",0,")))
    again = run(place, "other")["heterogeneity"]
    assert "seed0.heterogeneity.json is damaged, or of another split than seed0.csv" in caplog.text
    counts = [[client["train"] for client in one["clients"]] for one in (first, again)]
    assert counts[1] == [counts[0][0] + 1, counts[0][1] - 1, counts[0][2]]
    assert again["split_sha256"] == sha256_file(path)


def test_a_record_beside_a_split_counts_only_where_it_is_bound_to_it(place, caplog):
    (place / "iid" / "seed0.csv").unlink()
    write_split(Store.open(place / "store"), "iid", 3, 0, place / "iid" / "seed0.csv")
    beside = place / "iid" / "seed0.heterogeneity.json"
    dealt = json.loads(beside.read_text())
    first = run(place)["heterogeneity"]
    assert first == {key: value for key, value in dealt.items() if key != "record_sha256"}
    # One number of it is changed: it is not what was measured.
    size = dealt["clients"][0]["train"]
    dealt["clients"][0]["train"] = size + 1
    beside.write_text(json.dumps(dealt))
    found = run(place, "digit")["heterogeneity"]
    assert found["clients"][0]["train"] == size
    assert "seed0.heterogeneity.json is damaged, or of another split" in caplog.text
    # An older medfl's does not say of which table it is.
    for key in ("record_sha256", "split_sha256", "store_fingerprint"):
        del dealt[key]
    beside.write_text(json.dumps(dealt))
    assert run(place, "older")["heterogeneity"]["clients"][0]["train"] == size


def test_the_log_warns_where_nobody_attacks_though_it_was_asked(place):
    run(place, attackers=1)
    log = (place / "run" / "run.log").read_text()
    assert "1 clients are attackers, but no link says what they do" in log
    run(place, "plain")
    assert "attack" not in (place / "plain" / "run.log").read_text()


def test_a_pipe_in_the_place_of_the_log_is_told_and_not_waited_for(place):
    (place / "run").mkdir()
    os.mkfifo(place / "run" / "run.log")
    with pytest.raises(MedflError, match=r"run.log cannot be written \(it is a pipe.*\): move it"):
        run(place)


@pytest.mark.parametrize(
    "change", [{"server": {}}, {"clients": {}}, {"best": [1, {"x": 1}]}, {"trained": 5}]
)
def test_a_checkpoint_of_other_parts_is_refused(place, monkeypatch, change):
    """Its hash is right: only who makes one by hand, or a mistake, leaves such a file."""
    first = run(place, "whole")
    with monkeypatch.context() as patch:
        patch.setattr(saving, "CHECKPOINT_SECONDS", 0)
        patch.setattr(run_module, "write_record", stop)
        with pytest.raises(KeyboardInterrupt):
            run(place)
    state = torch.load(place / "run" / checkpoint.NAME, weights_only=True)
    checkpoint.write(place / "run", state | change)
    with pytest.raises(MedflError, match=r"checkpoint.pt does not hold what a run keeps .*delete"):
        run(place)
    (place / "run" / checkpoint.NAME).unlink()
    assert run(place)["last"] == first["last"]


def test_a_record_beside_a_split_that_no_record_may_hold_is_measured_anew(place, caplog):
    """Of an older medfl, without a hash of itself: infinity would end the run at its end."""
    (place / "iid" / "seed0.csv").unlink()
    write_split(Store.open(place / "store"), "iid", 3, 0, place / "iid" / "seed0.csv")
    beside = place / "iid" / "seed0.heterogeneity.json"
    dealt = json.loads(beside.read_text())
    del dealt["record_sha256"]
    beside.write_text(json.dumps(dealt | {"moved_share": float("inf")}))
    found = run(place)["heterogeneity"]
    assert "moved_share" not in found
    assert "seed0.heterogeneity.json is damaged, or of another split" in caplog.text
