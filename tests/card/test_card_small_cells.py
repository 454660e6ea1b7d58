"""What a card of people's own data says of few of them."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from medfl.card.build import inspect, write_card
from medfl.card.small_cells import Unpublished, without_numbers
from medfl.store import DatasetInfo, Sample, Store, write_store

# Class → images at each of three sites: "rare" has 4 at east.
COUNTS = {"common": (60, 50, 40), "usual": (30, 30, 30), "rare": (14, 16, 4)}
SITES = ("north", "south", "east")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    info = DatasetInfo(
        *("hospital", "Hospital", tuple(COUNTS), "multiclass", "XC"),
        synthetic=False, citation="", licence="",
    )  # fmt: skip
    samples = []
    for label, counts in COUNTS.items():
        for site, count in zip(SITES, counts, strict=True):
            for _ in range(count):
                k = len(samples)
                group = f"p{k}" if k > 2 else "p0"  # one person has three images
                age = "97" if k == 0 else str(40 + k % 30)
                view = "odd" if k < 3 else "front"
                samples.append(
                    Sample(f"s{k}", (label,), group, site, attributes={"age": age, "view": view})
                )
    images = np.random.default_rng(0).integers(0, 256, (len(samples), 1, 16, 16), dtype=np.uint8)
    return write_store(tmp_path_factory.mktemp("card") / "store", info, samples, images)


def test_small_cells_of_a_card_are_crosses(store, tmp_path):
    card = write_card(store, tmp_path, minimum=10)
    table = np.array(card["class_by_site"]["counts"], dtype=float)
    gone = np.isnan(table)
    assert gone[2, 2]
    assert gone.sum() == 4
    assert [(part["name"], part["count"]) for part in card["classes"]] == [
        ("common", 150), ("usual", 90), ("rare", 34),
    ]  # fmt: skip
    assert card["groups"]["several"] is None
    assert card["groups"]["largest"] is None
    assert card["groups"]["sizes"] == {1: None, 3: None}
    age, view = card["attributes"]
    assert age["quantiles"][0] is age["quantiles"][4] is None
    assert age["quantiles"][2] == pytest.approx(54, abs=3)
    assert all(count is None or count == 0 or count >= 10 for count in age["histogram"])
    assert view["values"] == {"front": None, "odd": None}
    text = (tmp_path / "card.html").read_text()
    assert "fewer than 10 of 272 groups (patients, lesions) have several images, up to ×" in text
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", text))
    assert json.loads((tmp_path / "card.json").read_text())["minimum_cell"] == 10


def test_a_small_class_has_no_row_of_samples(store, tmp_path):
    card = write_card(store, tmp_path, minimum=40)
    assert card["classes"][2]["count"] is None
    assert card["classes"][1]["count"] is None  # the total would give the 34
    assert set(card["samples"]["by_class"]) == {"common"}
    assert set(card["intensities"]["by_class"]) == {"common"}


def test_no_other_number_of_the_card_gives_a_hidden_site_or_cell(tmp_path):
    """Of 6 images at east and 14 at south, which hides them, the table of sizes said 14."""
    counts = {"north": 80, "south": 14, "east": 6}
    info = DatasetInfo(
        *("hospital", "Hospital", ("a", "b"), "multiclass", "XC"),
        synthetic=False, citation="", licence="",
    )  # fmt: skip
    samples = [
        Sample(
            *(f"{site}{k}", ("ab"[k % 2],), f"{site}{k}", site),
            attributes={"source_size": "16x16"},
        )
        for site, count in counts.items()
        for k in range(count)
    ]
    images = np.random.default_rng(0).integers(0, 256, (100, 1, 16, 16), dtype=np.uint8)
    card = write_card(write_store(tmp_path / "s", info, samples, images), tmp_path, minimum=10)
    assert {part["name"]: part["count"] for part in card["sites"]} == {
        "north": 80, "south": None, "east": None,
    }  # fmt: skip
    assert set(card["source_sizes"]) == {"", "north"}
    assert set(card["intensities"]["by_site"]) == {"north"}
    assert card["site_guess"] is None
    assert "Guessing the most frequent class" not in (tmp_path / "card.html").read_text()


def test_by_default_the_data_decide(store, tmp_path):
    inspect(str(store.path), output_dir=tmp_path / "own")
    inspect(str(store.path), output_dir=tmp_path / "all", minimum=0)
    own, whole = (
        json.loads((tmp_path / name / "card.json").read_text()) for name in ("own", "all")
    )
    assert own["class_by_site"]["counts"][2][2] is None
    assert whole["class_by_site"]["counts"] == [list(row) for row in COUNTS.values()]
    assert "minimum_cell" not in whole
    assert whole["groups"]["largest"] == 3


def test_a_count_that_is_not_published_is_no_number():
    hidden = Unpublished()
    assert math.isnan(hidden)
    assert f"{hidden:,} {hidden}" == "× ×"
    assert without_numbers({"a": [hidden, 3]}) == {"a": [None, 3]}
