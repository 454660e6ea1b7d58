"""A run of tuned values: where these come from is noted, and decides no number."""

from __future__ import annotations

import json
import shutil

import pytest
from federations import small_store, split_of

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import run as run_module
from medfl.federated import saving
from medfl.federated.run import execute
from medfl.files import is_whole, sha256_file
from medfl.results import paths
from medfl.store import Sample, Store, write_store


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


def run(place, tuning=None, rate=0.1, overwrite=False):
    settings = {"rounds": 2, "model": "logistic", "num_clients": 3, "device": "cpu"}
    settings |= {"report": {"minimum_cell": 0}, "training": {"learning_rate": rate}}
    config = FederatedConfig(dataset="test", partition="iid", **settings)
    split = place / "iid" / "seed0.csv"
    return execute(
        config, place / "store", split, place / "run", overwrite=overwrite, tuning=tuning
    )


def searched(place, sha="e", **changes):
    data = {"store": Store.open(place / "store").fingerprint()}
    data |= {"split": sha256_file(place / "iid/seed0.csv")}
    values = {"training.learning_rate": 0.1}
    about = {"chosen": 1, "values": values, "metric": "accuracy", "folds_of_seed": 0, "data": data}
    return sha * 64, {**about, "points": [point(values)], **changes}


def point(values):
    return {"values": values, "status": "completed", "validation": 0.5}


def test_values_that_are_chosen_again_leave_the_run_and_are_noted(place):
    first = run(place, searched(place))
    stamps = {path.name: path.stat().st_mtime_ns for path in (place / "run").iterdir()}
    assert first["provenance"]["tuned_sha256"] == "e" * 64
    assert first["provenance"]["tuning"] == searched(place)[1]
    again = searched(place, "f", points=[point({})])
    second = run(place, again)
    assert second["provenance"] == first["provenance"] | {
        "tuned_sha256": "f" * 64,
        "tuning": again[1],
    }
    numbers = {key: second[key] for key in second if key not in ("provenance", "record_sha256")}
    assert numbers.items() <= first.items()
    assert is_whole(json.loads((place / "run/metrics.json").read_text()))
    third = run(place)
    assert "tuning" not in third["provenance"]
    assert "tuned_sha256" not in third["provenance"]
    assert run(place, searched(place)) == first
    del stamps["metrics.json"]
    assert (
        stamps.items()
        <= {path.name: path.stat().st_mtime_ns for path in (place / "run").iterdir()}.items()
    )


@pytest.mark.parametrize("name", ["store", "split"])
def test_values_that_were_chosen_on_other_data_are_refused(place, name):
    sha, search = searched(place)
    search["data"][name] = "0" * 64
    with pytest.raises(MedflError, match=f"were chosen on another {name} than it is trained on"):
        run(place, (sha, search))
    assert not (place / "run").exists()


def test_the_first_seeds_choice_may_be_on_its_own_split(place):
    sha, search = searched(place, folds_of_seed=7)
    search["data"]["split"] = "0" * 64
    assert run(place, (sha, search))["status"] == "completed"


def test_a_stopped_replacement_goes_on_where_it_was(place, monkeypatch):
    """Snakemake puts the files of the older run back, of which it keeps a copy until the end."""
    run(place, searched(place))
    shutil.copytree(place / "run", place / "older")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(saving, "CHECKPOINT_SECONDS", 0)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "write_record", stop)
        with pytest.raises(KeyboardInterrupt):
            run(place, searched(place, "f"), rate=0.2, overwrite=True)
    for name in (paths.RECORD, paths.CONFIG, paths.ROUNDS, paths.CLIENTS):
        shutil.copy(place / "older" / name, place / "run" / name)
    with pytest.raises(MedflError, match="holds a run of another configuration"):
        run(place, searched(place, "f"), rate=0.2)
    run(place, searched(place, "f"), rate=0.2, overwrite=True)
    assert "going on after round 2" in (place / "run" / paths.LOG).read_text()
