"""A split that a person has put where a grid looks is used where it fits, and never in silence."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from medfl.config import SplitConfig
from medfl.errors import MedflError
from medfl.partition.given import Chosen, announce, check_pattern, choose, named
from medfl.partition.place import sidecar, split_path

FOLDS = SplitConfig()


@pytest.fixture
def own(tmp_path):
    """Where the grid's own split of three clients would lie."""
    return split_path(tmp_path, "phantom", "iid", 7, 3, FOLDS)


def put(own: Path, clients: int = 3, record: dict | None = None) -> Path:
    """Put a person's split above the folder of the dealing."""
    path = own.parent.parent / own.name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"s{client},{client},train\n" for client in range(clients)]
    path.write_text("sample,client,fold\n" + "".join(rows))
    if record is not None:
        sidecar(path).write_text(json.dumps(record))
    return path


def test_without_a_persons_file_the_grids_own_is_meant(own):
    assert choose(own, 3, FOLDS) == Chosen(own)
    assert announce([Chosen(own)]) == []


def test_a_persons_file_is_used_and_said(own):
    path = put(own)
    chosen = choose(own, 3, FOLDS)
    assert chosen == Chosen(path, given=True)
    assert announce([chosen, chosen, Chosen(own)]) == [
        f"{path} is used as given; medfl never writes there"
    ]


def test_where_the_data_decide_the_number_any_number_fits(own):
    path = put(own, clients=5)
    assert choose(own, None, FOLDS).path == path


@pytest.mark.parametrize(
    ("clients", "record", "reason"),
    [
        (5, None, "it has 5 clients, and the grid 3"),
        (3, {"partition": "site", "seed": 7}, "it has partition site, and the grid iid"),
        (3, {"partition": "iid", "seed": 8}, "it has seed 8, and the grid 7"),
        (3, {"dealt": {"val_fraction": 0.3}}, "it has val_fraction 0.3, and the grid 0.15"),
        (3, {"dealt": {"official_folds": False}}, "it has official_folds False, and the grid True"),
    ],
)
def test_a_file_that_does_not_fit_is_passed_over_with_the_reason(own, clients, record, reason):
    path = put(own, clients, record)
    chosen = choose(own, 3, FOLDS)
    assert (chosen.path, chosen.given, chosen.passed) == (own, False, path)
    assert announce([chosen]) == [f"{path} is passed over: {reason}"]


def test_a_record_that_tells_what_the_grid_wants_fits(own):
    folds = SplitConfig(val_fraction=0.3)
    own = split_path(own.parents[3], "phantom", "iid", 7, 3, folds)
    path = put(own, record={"partition": "iid", "seed": 7, "dealt": folds.model_dump()})
    assert choose(own, 3, folds).path == path


def test_two_that_fit_and_differ_are_refused(own):
    path = put(own)
    own.parent.mkdir()
    sidecar(own).write_text("{}")
    own.write_text(path.read_text())
    assert choose(own, 3, FOLDS).path == path  # the same split twice
    own.write_text(path.read_text().replace("s0,0", "s0,1"))
    with pytest.raises(MedflError, match="are two splits that both fit this grid: move one"):
        choose(own, 3, FOLDS)


def test_several_files_are_one_line(tmp_path):
    paths = [tmp_path / f"seed{number}.csv" for number in range(3)]
    used = [Chosen(path, given=True) for path in paths]
    passed = [Chosen(Path("own"), passed=path, reason="it is old") for path in paths[:2]]
    assert announce(used + passed) == [
        f"{paths[0]} and 2 more splits are used as given; medfl never writes there",
        f"{paths[0]} and 1 more splits are passed over: it is old",
    ]


def test_a_file_that_a_grid_names(own, tmp_path):
    path = put(tmp_path / "mine" / "phantom" / "iid" / "x" / "seed7.csv")
    pattern = str(tmp_path / "mine" / "{dataset}" / "{partition}" / "seed{seed}.csv")
    assert named(pattern, own, 3) == Chosen(path, given=True)
    assert named(pattern, own, None).path == path
    with pytest.raises(MedflError, match="has 3 clients, but the grid has num_clients 4: set"):
        named(pattern, own, 4)
    path.unlink()
    with pytest.raises(MedflError, match=r"split_file: .*seed7\.csv does not exist"):
        named(pattern, own, 3)


def test_no_file_is_named_where_a_grid_would_write(own):
    own.parent.mkdir(parents=True)
    own.write_text("sample,client,fold\ns0,0,train\n")
    with pytest.raises(MedflError, match="lies where medfl writes its own splits"):
        named(str(own), own, 1)


@pytest.mark.parametrize(
    ("pattern", "datasets", "partitions", "words"),
    [
        ("a/{clients}.csv", ["a"], ["iid"], "only {dataset}, {partition} and {seed}"),
        ("a/{seed.csv", ["a"], ["iid"], "only {dataset}, {partition} and {seed}"),
        ("a/{seed!r}.csv", ["a"], ["iid"], "only {dataset}, {partition} and {seed}"),
        ("a.csv", ["a", "b"], ["iid"], "{dataset} must stand in its path"),
        ("{dataset}.csv", ["a", "b"], ["iid", "site"], "{partition} must stand in its path"),
    ],
)
def test_a_pattern_that_names_no_file_or_one_for_two_splits(pattern, datasets, partitions, words):
    with pytest.raises(MedflError, match=re.escape(words)):
        check_pattern(pattern, datasets, partitions)
    check_pattern("one.csv", ["a"], ["iid"])


def test_a_file_among_the_grids_own_that_medfl_has_not_made_is_refused(own):
    own.parent.mkdir(parents=True)
    own.write_text("sample,client,fold\ns0,0,train\n")
    with pytest.raises(MedflError, match="was not made by medfl, and medfl would write there"):
        choose(own, 1, FOLDS)
    sidecar(own).write_text(json.dumps({"split_sha256": "0" * 64}))
    with pytest.raises(MedflError, match="was edited, and medfl would write there"):
        choose(own, 1, FOLDS)
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    sidecar(own).write_text(json.dumps({"split_sha256": digest}))
    assert choose(own, 1, FOLDS) == Chosen(own)


def test_a_grids_own_split_that_was_dealt_in_another_way_is_refused(own):
    own.parent.mkdir(parents=True)
    own.write_text("sample,client,fold\ns0,0,train\n")
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    usual = {"min_samples": 2, "val_fraction": 0.15, "test_fraction": 0.2, "official_folds": True}
    for changes, words in (
        ({}, None),
        ({"val_fraction": 0.3}, "dealt with val_fraction 0.3, and the grid that looks there has"),
        ({"allow_divided_patients": True}, "dealt with allow_divided_patients True"),
    ):
        record = {"split_sha256": digest, "dealt": usual | changes}
        sidecar(own).write_text(json.dumps(record))
        if words is None:
            assert choose(own, 1, SplitConfig()) == Chosen(own)
        else:
            with pytest.raises(MedflError, match=words):
                choose(own, 1, SplitConfig())
