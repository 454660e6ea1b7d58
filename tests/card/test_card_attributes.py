"""What a card says of further columns, and of pixels by site, in small worked cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from card.test_card import info, noise

from medfl.card.attributes import measure_attribute
from medfl.card.build import write_card
from medfl.card.plots import site_histograms
from medfl.card.scan import scan
from medfl.store import Sample, write_store


def test_attributes():
    numbers = measure_attribute("age", np.array([*map(str, range(1, 22)), "", "NaN"]))
    assert (numbers.kind, numbers.present, numbers.missing) == ("number", 21, 2)
    assert numbers.quantiles == [1, 6, 11, 16, 21]
    assert sum(numbers.histogram) == 21
    assert numbers.histogram == [2] * 10 + [1]  # 21 years, two a bin: 20 bins hold no whole number
    assert (numbers.edges[0], numbers.edges[-1]) == (0.5, 22.5)
    words = measure_attribute("view", np.array(["PA", "AP", "PA", "unknown"]))
    assert (words.kind, words.values, words.missing) == ("word", {"PA": 2, "AP": 1}, 1)
    names = measure_attribute("who", np.array([f"person {k}" for k in range(30)]))
    assert (names.kind, names.values, names.distinct) == ("text", {}, 30)


def test_a_histogram_has_no_gaps_that_the_values_have_not():
    """Ages are told by five years: each of 18 values has a bin of its own, around it."""
    ages = [str(age) for age in range(0, 90, 5) for _ in range(3)]
    told = measure_attribute("age", np.array(ages))
    assert told.histogram == [3] * 18
    assert told.edges == [-2.5 + 5 * k for k in range(19)]
    tenths = measure_attribute("dose", np.array([f"{k / 10:.1f}" for k in range(15)]))
    assert tenths.histogram == [1] * 15
    odd = measure_attribute("size", np.array(["0", "1", "1.0000001", *map(str, range(90, 100))]))
    assert sum(odd.histogram) == 13
    assert len(odd.histogram) == 20
    same = measure_attribute("one", np.array([f"1.{'0' * k}" for k in range(12)]))
    assert sum(same.histogram) == 12


def test_pixel_values_are_of_all_images_where_no_site_is_stated(tmp_path):
    samples = [Sample(f"s{k}", ("a",), f"g{k}") for k in range(4)]
    found = scan(write_store(tmp_path / "toy", info(), samples, noise(4)))
    card = {"sites": [{"name": "", "count": 4}]}
    assert site_histograms(card, found)[0] == ["all images"]
    card = {"sites": [{"name": "north", "count": 3}, {"name": "", "count": 1}]}
    found = replace(found, by_site=np.repeat(found.by_site, 2, axis=0))
    assert site_histograms(card, found)[0] == ["north", ""]


@pytest.mark.parametrize(
    ("task", "metric"), [("multiclass", "balanced accuracy"), ("multilabel", "macro AUC")]
)
def test_unbalanced_classes_are_read_by_the_metric_of_the_task(task, metric, tmp_path):
    labels = ["a"] * 30 + ["b"]  # 30 times fewer
    samples = [Sample(f"s{k}", (label,), f"g{k}") for k, label in enumerate(labels)]
    store = write_store(tmp_path / "toy", info(task=task), samples, noise(31))
    texts = [one["text"] for one in write_card(store, tmp_path / "card")["findings"]]
    found = next(text for text in texts if text.startswith("The classes are unbalanced"))
    assert found.endswith(f"a has 30 images, b 1 (30 times fewer). Look at {metric}.")
