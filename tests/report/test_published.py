"""A published folder: what is in it, what it says, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import re

import pytest
import yaml

from medfl.errors import MedflError
from medfl.report.grid_results import GridResults
from medfl.report.published import MARK, publish
from medfl.report.steps import aggregate
from medfl.results.runs import read_grid_runs

CARD = {"name": "toy", "title": "Toys | of all kinds", "citation": "Doe 2020.", "licence": "CC0"}


@pytest.fixture
def place(tmp_path, fake):
    """A whole grid with its tables, and the card of its data."""
    cells = fake.write_results(tmp_path / "results")
    results = aggregate(cells, tmp_path / "results")
    (tmp_path / "results" / "report.html").write_text("<html>the report</html>")
    (tmp_path / "prepared" / "toy").mkdir(parents=True)
    (tmp_path / "prepared" / "toy" / "dataset.yaml").write_text(yaml.safe_dump(CARD))
    return tmp_path, results, cells


def published(place, to="public", **changes):
    folder, results, _ = place
    usual = {"title": "Toys", "grid_file": "params/toy.yaml", "configuration": {"seeds": [0, 1]}}
    usual |= {"prepared_dir": folder / "prepared"}
    return publish(results, folder / "results", folder / to, **usual | changes)


def test_the_folder_holds_what_the_page_names(place):
    page = published(place)
    text, folder = page.read_text(), page.parent
    names = {path.name for path in folder.iterdir()}
    assert {"report.html", "summary.csv", "comparison.csv", "paired.csv", "grid.yaml"} <= names
    listed = dict(re.findall(r"\| \[(.+)\]\(.+\) \| `([0-9a-f]{64})` \|", text))
    assert listed.keys() == names - {"README.md"}
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert set(links) <= names
    assert yaml.safe_load((folder / "grid.yaml").read_text()) == {"seeds": [0, 1]}
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        "prepared", "public", "results"
    ]  # fmt: skip


def test_the_page_says_who_is_ahead_what_it_cost_and_how_it_was_made(place):
    text = published(place).read_text()
    assert text.startswith(f"{MARK}\n# Toys\n")
    # 5 arms × 2 partitions × 3 seeds of 12.5 s each
    assert "5 arms × 2 partitions × 3 seeds: 30 runs, 0.1 hours of training." in text
    # FedBN's own models have 85 % by hand, and 55 % for everyone, behind FedProx's 83.
    said = text.partition("## What they say")[2].partition("##")[0]
    assert re.search(
        r"\*Own patients:\* \*\*fedbn †\*\* has the highest mean accuracy: 85\.0 %", said
    )
    assert re.search(
        r"\*For everyone:\* \*\*fedprox\*\* has the highest mean accuracy: 83\.0 %", said
    )
    assert "| fedavg | 82.0 ± 2.0" in text
    assert "snakemake --cores all --configfile params/toy.yaml" in text
    assert "medfl publish --grid params/toy.yaml --to" in text
    assert "| git commit | 0123456789abcdef (30 runs) |" in text
    assert "**Toys | of all kinds** (`toy`). Doe 2020. Licence: CC0" in text
    assert "What was searched" not in text


def test_hospitals_never_seen_have_their_table_before_the_comparison(tmp_path, fake):
    values = {"leave-out-East": 0.5, "leave-out-West": 0.7}
    cells = fake.grid(["toy"], list(values), ["fedavg"], [0, 1])
    for cell in cells:
        fake.write_run(tmp_path / "results", cell, [0.1, values[cell.partition]])
    place = (tmp_path, aggregate(cells, tmp_path / "results"), cells)
    page = published(place)
    table, _, rest = page.read_text().partition("## At hospitals never seen")[2].partition("\n## ")
    assert "| Arm | Worst hospital | Mean | East | West |" in table
    assert "| fedavg | 50.0 (East) | 60.0" in table
    assert rest.startswith("The comparison")
    assert "[unseen.csv](unseen.csv)" in rest
    assert (page.parent / "unseen.csv").exists()


def test_the_hashes_of_data_and_splits_are_listed(place):
    with (published(place).parent / "inputs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6  # 2 partitions × 3 seeds
    assert {row["store_fingerprint"] for row in rows} == {"a" * 64}
    assert [row["split_sha256"][0] for row in rows[:3]] == ["0", "1", "2"]


def test_a_folder_of_before_is_replaced_as_a_whole(place):
    folder = published(place).parent
    (folder / "old.csv").write_text("left over")
    published(place, title="Other toys")
    assert "# Other toys" in (folder / "README.md").read_text()
    assert not (folder / "old.csv").exists()


@pytest.mark.parametrize("name", ["README.md", "notes.txt"])
def test_what_a_person_wrote_is_not_replaced(place, name):
    (place[0] / "public").mkdir()
    (place[0] / "public" / name).write_text("mine")
    with pytest.raises(MedflError, match="was not written by `medfl publish`: name another folder"):
        published(place)
    assert (place[0] / "public" / name).read_text() == "mine"


def test_a_place_that_cannot_be_is_said_with_what_to_do(place):
    (place[0] / "file").write_text("mine")
    with pytest.raises(
        MedflError, match=r"cannot write .*file/x/public \(.*\): choose another place"
    ):
        published(place, "file/x/public")
    assert (place[0] / "file").read_text() == "mine"


def test_a_grid_with_missing_runs_is_not_published(place, fake):
    folder, _, cells = place
    runs = read_grid_runs(
        [*cells, fake.Cell("toy", "iid", "fednova", 0)], folder / "results", partial=True
    )
    with pytest.raises(MedflError, match="1 of 31 runs are missing, so nothing is published"):
        published((folder, GridResults(runs), cells))
    assert not (folder / "public").exists()
