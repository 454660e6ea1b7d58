"""Sites that a grid's datasets have or lack are known before anything is made."""

from __future__ import annotations

import csv
import os
from dataclasses import fields
from types import SimpleNamespace

import pytest
import yaml

from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.grid import load_grid
from medfl.grid.shared import run_of
from medfl.grid.sites import check_sites

HAM10000 = ("rosendahl", "vidir_modern", "vidir_molemax", "vienna_dias")
LEFT_OUT = [f"leave-out-{site}" for site in HAM10000]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def grid(datasets, partitions, **changes):
    content = {
        "arms_file": None,
        "arm_settings": {"fedavg": {"algorithm": "fedavg"}, "all": {"algorithm": "centralized"}},
        "datasets": datasets,
        "partitions": partitions,
        "arms": ["fedavg", "all"],
        "seeds": [0, 1],
        **changes,
    }
    return load_grid(content, "grid.yaml")


def describe(folder, name, columns=("file", "label"), **description):
    """A described dataset of which only names of pictures and a table are there."""
    raw = folder / f"raw-{name}"
    raw.mkdir()
    (raw / "1.png").touch()
    with (raw / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, ["1.png", "a", "x"][: len(columns)]])
    content = {"folder": str(raw), "table": "labels.csv", **description}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    known = os.environ.get("MEDFL_DATASETS", "")
    os.environ["MEDFL_DATASETS"] = os.pathsep.join(filter(None, [known, str(path)]))
    return raw


@pytest.fixture
def described(folder, monkeypatch):
    monkeypatch.setenv("MEDFL_DATASETS", "")

    def make(name, **keywords):
        return describe(folder, name, **keywords)

    return make


def prepared(folder, name, sites):
    """A store of which only the sites of samples are read."""
    store = folder / "data" / "prepared" / name
    store.mkdir(parents=True)
    (store / "dataset.yaml").touch()
    with (store / "samples.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "site"), *((k, site) for k, site in enumerate(sites))])


def test_each_site_of_the_catalog_is_left_out_in_turn():
    found = grid(["ham10000-28"], ["iid", "leave-one-out", "site"])
    assert found.partitions == ["iid", *LEFT_OUT, "site"]
    check_sites(found)
    places = [str(cell) for cell in found.cells()]
    assert "ham10000-28/leave-out-vidir_modern/fedavg/seed1" in places
    cells = {cell.partition: cell for cell in found.cells() if cell.arm == "all"}
    # Trained on all samples of the others: no other partition has these.
    assert run_of(found, cells["leave-out-vienna_dias"]) == cells["leave-out-vienna_dias"]
    assert run_of(found, cells["site"]).partition == "pooled"


def test_what_was_prepared_counts_more_than_what_was_published(folder):
    prepared(folder, "ham10000-28", ["rosendahl", "São Paulo"])
    found = grid(["ham10000-28"], ["leave-one-out"])
    assert found.partitions == ["leave-out-S~C3~A3o~20Paulo", "leave-out-rosendahl"]
    with pytest.raises(MedflError, match=r"no site `vidir_modern` .* are São Paulo, rosendahl\."):
        check_sites(grid(["ham10000-28"], ["leave-out-vidir_modern"]))


def test_datasets_have_partitions_of_their_own():
    by = {"pneumoniamnist": ["iid", "dirichlet-0.50"], "ham10000-28": ["iid", "leave-one-out"]}
    found = grid(["pneumoniamnist", "ham10000-28"], by)
    assert found.partitions == {
        "pneumoniamnist": ["iid", "dirichlet-0.5"],
        "ham10000-28": ["iid", *LEFT_OUT],
    }
    assert len(found.cells()) == (2 + 5) * 2 * 2
    check_sites(found)
    # A job reads what the start has fixed, and finds the same.
    again = load_grid(found.model_dump(mode="json"), "fixed")
    assert again.cells() == found.cells()
    same = grid(["pneumoniamnist", "phantom"], {"pneumoniamnist": ["iid"], "phantom": ["iid"]})
    assert same.partitions == ["iid"]


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        ({"phantom": ["iid"], "phantm": ["iid"]}, "`phantm`, which is not in datasets; did you"),
        ({"phantom": ["iid"]}, "names none for `braintumor-32`"),
        ({"phantom": [], "braintumor-32": ["iid"]}, "partitions.*at least 1"),
        ({"phantom": ["iid", "iid"], "braintumor-32": ["iid"]}, "iid stands there twice"),
        ({"phantom": ["iid"], "braintumor-32": ["leave-one-out"]}, "names no sites, so it has no"),
        (["leave-out-SITE-A", "leave-out-SITE~2DA"], "are one partition"),
        ("iid", "partitions"),
    ],
)
def test_partitions_that_are_written_wrongly(partitions, message):
    with pytest.raises(MedflError, match=message):
        grid(["phantom", "braintumor-32"], partitions)


@pytest.mark.parametrize("word", ["site", "site-dirichlet-0.5", "leave-out-x"])
def test_a_catalog_set_without_sites_is_found_before_anything_is_made(word, folder):
    with pytest.raises(MedflError, match=f"^braintumor-32 names no sites, .* `{word}`: leave that"):
        check_sites(grid(["braintumor-32"], ["iid", word]))
    assert not (folder / "data").exists()


def test_a_description_may_leave_no_place_for_sites(described):
    described("plain")
    with pytest.raises(MedflError, match="plain names no sites"):
        check_sites(grid(["plain"], ["site"]))
    described("unasked", columns=("file", "label", "site"), site={"from": "none"})
    with pytest.raises(MedflError, match="unasked names no sites"):
        check_sites(grid(["unasked"], ["site"]))


def test_where_only_preparing_tells_nothing_is_refused_before(described, folder):
    described("column", columns=("file", "label", "site"))
    described("folders", site={"from": "folder", "level": 1})
    (described("headers") / "2.dcm").touch()
    for name in ("column", "folders", "headers"):
        check_sites(grid([name], ["site"]))
        with pytest.raises(MedflError, match=f"known once it is prepared: `medfl prepare {name}`"):
            grid([name], ["leave-one-out"])
    prepared(folder, "column", ["east", "west", "east"])
    assert grid(["column"], ["leave-one-out"]).partitions == ["leave-out-east", "leave-out-west"]


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ([""], "names no sites"),
        (["east"], "has one site, `east`"),
        (["east", "", "west"], "has samples without a site"),
    ],
)
def test_a_store_that_lacks_sites(folder, described, sites, message):
    described("own", columns=("file", "label", "site"))
    prepared(folder, "own", sites)
    for words in (["leave-one-out"], ["leave-out-east"], ["site"]):
        with pytest.raises(MedflError, match=message):
            check_sites(grid(["own"], words))


def test_a_split_that_a_person_gave_needs_no_sites(folder):
    place = folder / "data/splits/braintumor-32/site/seed0.csv"
    place.parent.mkdir(parents=True)
    rows = [f"s{k},{k % 4},{('train', 'val', 'test')[k % 3]}" for k in range(24)]
    place.write_text("\n".join(["sample,client,fold", *rows]) + "\n")
    check_sites(grid(["braintumor-32"], ["site"]))


def test_a_dataset_that_deals_itself_needs_no_sites(monkeypatch):
    plain = parse_dataset("braintumor-32").dataset

    class Deals(type(plain)):
        def create_federated_splits(self, *args, **keywords):
            raise AssertionError("nothing is dealt when a grid is checked")

    dealt = Deals(**{one.name: getattr(plain, one.name) for one in fields(plain) if one.init})
    found = grid(["braintumor-32"], ["site"])
    monkeypatch.setattr(
        "medfl.grid.sites.parse_dataset", lambda word: SimpleNamespace(dataset=dealt)
    )
    check_sites(found)
