"""Names that are cut for a picture can still be told apart."""

from __future__ import annotations

import pytest

from medfl.pages.words import distinct, in_lines, shorten


def test_long_names_are_cut_to_the_limit():
    assert shorten("a" * 18) == "a" * 18
    assert shorten("a" * 19) == "a" * 17 + "…"


@pytest.mark.parametrize(
    ("names", "cut"),
    [
        (["mass", "consolidation of both lungs"], ["mass", "consolidation of …"]),
        # They begin alike, so that their ends are kept.
        (
            ["benign keratosis of face", "benign keratosis of hand"],
            ["benign k…s of face", "benign k…s of hand"],
        ),
        # They begin and end alike: their places tell them apart.
        (
            [f"{'a' * 20}b{'c' * 20}", f"{'a' * 20}d{'c' * 20}"],
            ["aaaaaaaaaaaaaaa… 1", "aaaaaaaaaaaaaaa… 2"],
        ),
    ],
)
def test_names_that_differ_are_cut_to_texts_that_differ(names, cut):
    assert distinct(names) == cut


def test_a_cut_name_is_not_taken_for_one_that_is_short():
    found = distinct(["consolidation of …", "consolidation of lungs"])
    assert found[0] == "consolidation of …" != found[1]


def test_a_title_takes_two_lines_before_it_is_cut():
    names = ["fedavg", "squamous cell carcinoma", "one name that takes three lines at least"]
    assert in_lines(names, 14) == ["fedavg", "squamous cell\ncarcinoma", "one name that…"]
