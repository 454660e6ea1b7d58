"""What a run writes at its end: on the disk itself, by whom it was computed, for no samples too."""

from __future__ import annotations

import pytest
import torch
from federations import federation

from medfl.config import FederatedConfig
from medfl.federated import outcome
from medfl.federated.prediction import predict
from medfl.federated.provenance import ended_stretches
from medfl.federated.run_folder import check_folder
from medfl.files import write_yaml


@pytest.mark.parametrize(("seconds", "durable"), [(4.0, False), (6.0, True)])
def test_long_runs_are_written_onto_the_disk_itself(seconds, durable, tmp_path, monkeypatch):
    trainer = federation(rounds=1)
    trainer.train()
    trainer.seconds = seconds
    asked = {}
    for name in ("write_csv", "write_json", "write_model", "keep_predictions"):
        original = getattr(outcome, name)

        def written(path, *given, original=original, **other):
            asked[path.name] = other["durable"] if "durable" in other else given[-1]
            return original(path, *given, **other)

        monkeypatch.setattr(outcome, name, written)
    outcome.write_record(tmp_path, trainer, {}, {})
    files = {"rounds.csv", "clients.csv", "model.safetensors", "predictions.npz", "metrics.json"}
    assert asked == dict.fromkeys(files, durable)


def test_each_stretch_ends_before_the_next_begins():
    stretches = [{"first_round": 1}, {"first_round": 4}, {"first_round": 4}, {"first_round": 7}]
    assert ended_stretches(stretches, 9) == [
        {"first_round": 1, "last_round": 3},
        {"first_round": 4, "last_round": 6},
        {"first_round": 7, "last_round": 9},
    ]


def test_no_samples_have_no_predictions():
    server = federation().server
    none = torch.zeros(0, dtype=torch.int64)
    assert predict(server.model, server.data, none, server).shape == (0, 3)


def test_a_run_uses_as_many_threads_as_its_settings_say(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    federation(rounds=1, threads=3).train()
    assert asked == [3]


def test_a_run_that_may_be_replaced_is_another_one(tmp_path):
    assert not check_folder(tmp_path, FederatedConfig(rounds=3))
    write_yaml(tmp_path / "config.yaml", FederatedConfig(rounds=3).model_dump(mode="json"))
    assert check_folder(tmp_path, FederatedConfig(rounds=3))
    assert not check_folder(tmp_path, FederatedConfig(rounds=4), overwrite=True)
