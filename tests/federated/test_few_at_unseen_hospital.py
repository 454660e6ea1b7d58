"""Where all tests are of few people at a hospital never seen, no output depends on them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from federations import small_store

from medfl.config import FederatedConfig
from medfl.disclosure.split import hide_in_split
from medfl.federated.run import execute
from medfl.files import OWN_HASH, is_whole
from medfl.grid import Cell
from medfl.partition import Split
from medfl.report.steps import aggregate, build_report
from medfl.results.intact import check_file
from medfl.results.record import read_record
from medfl.store import Sample, write_store

TRAINED = [(40, 15), (50, 20)]  # train and val of the hospitals that take part
SEEDS = (0, 1, 2)
ARMS = ("fedavg", "local")


def hospitals(folder: Path, tests: int, patients: int, other: bool = False) -> Path:
    """A store and its splits: hospital 2 has ``tests`` samples, which ``other`` makes others."""
    trained = sum(map(sum, TRAINED))
    memory = small_store(trained + tests, classes=2, size=8)
    there = np.arange(trained + tests) >= trained
    if other:
        memory.images[there] = 255 - memory.images[there]
        memory.labels[there] = 1 - memory.labels[there]
    groups = [f"g{i}" if i < trained else f"p{i % patients}" for i in range(len(there))]
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), groups[i]) for i, k in enumerate(memory.labels)
    ]
    store = write_store(folder / "store", memory.info, samples, memory.images)
    owners = np.repeat([0, 1, 2], [*map(sum, TRAINED), tests])
    folds = np.concatenate(
        [*(np.repeat(["train", "val"], one) for one in TRAINED), np.repeat("test", tests)]
    )
    (folder / "custom").mkdir()
    for seed in SEEDS:
        Split(store.ids, owners, folds, "custom", seed, 3, 0).write(
            folder / "custom" / f"seed{seed}.csv"
        )
    return folder


def run(place: Path, minimum: int | None, arm: str = "fedavg", seed: int = 0) -> Path:
    given = {"dataset": "hospital", "partition": "custom", "report": {"minimum_cell": minimum}}
    given |= {"rounds": 2, "model": "logistic", "num_clients": 3, "device": "cpu", "seed": seed}
    config = FederatedConfig(arm=arm, algorithm=arm, evaluate_every=1, **given)
    folder = place / "runs/hospital/custom" / arm / f"seed{seed}"
    execute(config, place / "store", place / "custom" / f"seed{seed}.csv", folder)
    return folder


def numbers(folder: Path) -> dict[str, str]:
    """What a run publishes, without its times and the hashes of its input."""
    record = json.loads((folder / "metrics.json").read_text())
    assert is_whole(record)
    read = read_record(folder / "metrics.json")
    for name in read.files:
        check_file(folder, name, read)
    for name in ("provenance", "timing", "files", "predictions", OWN_HASH):
        record.pop(name, None)
    record["heterogeneity"] = {
        key: value for key, value in record["heterogeneity"].items() if "sha" not in key
    }
    record["heterogeneity"].pop("store_fingerprint", None)
    found = {"metrics.json": json.dumps(record, sort_keys=True)}
    for name in ("rounds.csv", "clients.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found[name] = json.dumps([{k: v for k, v in row.items() if k != "seconds"} for row in rows])
    log = (folder / "run.log").read_text()
    found["run.log"] = re.sub(r"\d+\.\d s|about .* left|\d\d:\d\d:\d\d", "", log)
    return found


@pytest.mark.parametrize(("tests", "patients"), [(4, 4), (20, 5)])
@pytest.mark.parametrize("held_back", [False, True])
def test_no_file_of_a_run_depends_on_few_who_are_tested(tmp_path, tests, patients, held_back):
    """With ``held_back`` a finished run had published all, and is asked again."""
    found = []
    for other in (False, True):
        place = hospitals(tmp_path / str(other), tests, patients, other)
        folder = run(place, 0) if held_back else None
        if folder:
            assert "test balanced accuracy" in (folder / "run.log").read_text()
        found.append(numbers(run(place, None)))
    assert found[0] == found[1]
    record = json.loads(found[0]["metrics.json"])
    for name in ("test", "everyone"):
        assert not any(record["last"][name].values())
        assert not any(record["best"][name].values())
    assert record["last"]["val"]["accuracy"] is not None
    assert record["heterogeneity"]["folds"]["train"] == 90
    assert "test balanced accuracy" not in found[0]["run.log"]
    assert "val balanced accuracy" in found[0]["run.log"]


def test_enough_who_are_tested_are_published(tmp_path):
    folder = run(hospitals(tmp_path, 20, 20), None)
    record = json.loads((folder / "metrics.json").read_text())
    assert record["last"]["test"]["accuracy"] is not None
    assert record["last"]["test"]["n"] == 20


def written(folder: Path) -> dict[str, str]:
    """Tables and page of a grid, without times, hashes and pictures."""
    found = {}
    for path in sorted((folder / "tables").iterdir()):
        found[path.name] = path.read_text(encoding="utf-8")
    found["metrics.json"] = (folder / "metrics.json").read_text()
    for name in ("cost.csv", "cost.md", "cost.tex", "seconds.csv"):
        found.pop(name, None)
    return {
        name: "\n".join(line for line in text.splitlines() if "Seconds" not in line)
        for name, text in found.items()
    }


def test_no_table_of_a_grid_depends_on_them_and_the_report_says_so(tmp_path):
    found = []
    for other in (False, True):
        place = hospitals(tmp_path / str(other), 4, 4, other)
        for arm in ARMS:
            for seed in SEEDS:
                run(place, None, arm, seed)
        cells = [Cell("hospital", "custom", arm, seed) for arm in ARMS for seed in SEEDS]
        aggregate(cells, place)
        build_report(cells, place, figures=["convergence", "evidence", "confusion"])
        found.append(written(place))
        page = (place / "report.html").read_text(encoding="utf-8")
        assert "Nothing can be ranked" in page
        assert "where all tests are of hospitals never seen" in page
        assert '"points": []' in page
    assert found[0].keys() == found[1].keys()
    for name in found[0]:
        assert found[0][name] == found[1][name], name


def test_when_all_tests_are_hidden_by_hand():
    """Hospitals 0 and 1 train and validate; those behind them are tested alone."""

    def hides(*tests, patients=None, also=0):
        sizes = np.array([[40, 15, also], [50, 20, also], *([0, 0, n] for n in tests)])
        people = sizes.copy()
        if patients:
            people[2:, 2] = patients
        labels = np.stack([sizes // 2, sizes - sizes // 2], axis=2)
        return hide_in_split(sizes, people, labels, 10).tests

    assert hides(9)
    assert not hides(10)
    assert hides(20, patients=(9,))
    assert not hides(20, patients=(10,))
    assert not hides(6, 6)  # twelve people of two hospitals together
    assert hides(4, 5)
    assert not hides(4, also=2)  # others are tested, too: metrics of the whole fold
