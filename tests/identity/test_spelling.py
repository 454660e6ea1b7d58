"""Ids and names are compared by what is the same for all ways to write them."""

from __future__ import annotations

import pytest

from medfl.identity.spelling import alike, is_rounded, is_unknown, joined, spelling


@pytest.mark.parametrize(
    "ways",
    [
        [
            "7",
            "007",
            "7.0",
            "7,0",
            "7.",
            " 7 ",
            "'7",
            "\ufeff7",
            "\N{ARABIC-INDIC DIGIT SEVEN}",
            "\uff17",
        ],
        ["AB7", "ab7", "AB-7", "AB_07", "AB 7", "ab\N{NO-BREAK SPACE}7", "AB\N{EN DASH}7"],
        ["P-007", "P_007", "P 007", "P007", "p7", "P/7"],
        ["100000", "1e5", "1E+5", "1.0e5", "1,0E+05", "100000.0"],
        ["1500", "1.5e3"],
        ["M\u00fcller", "Mu\u0308ller", "M\u00dcLLER"],
        ["St. Mary", "ST MARY", "st_mary", "St.  Mary "],
        ["12-345", "12/345", "12_0345"],
    ],
)
def test_one_id_in_several_ways(ways):
    assert {spelling(way) for way in ways} == {spelling(ways[0])}


def test_what_may_be_several_people_stays_apart():
    # A sign, a fraction that may be a visit, letters like digits, and parts of a number.
    texts = ["7", "-7", "70", "7.1", "7.10", "71", "12-3", "1-23", "123", "O1", "01", "l1", "I1"]
    texts += ["ER+", "ER-", "ER", "<1", ">1", "+", "-", "ab cd", "abcd", "7.5e0", "1e500"]
    assert len({spelling(text) for text in texts}) == len(texts)
    assert spelling("01") == spelling("1")


def test_numbers_as_spreadsheets_show_them():
    for texts in (["12,345", "12345", "012345"], ['="0047"', "47", "'0047"], ["7,0", "7.00", "7"]):
        assert len({spelling(text) for text in texts}) == 1
    assert spelling("7,000") == spelling("7000") != spelling("7")
    assert spelling("12,34") != spelling("1234")


def test_families_come_in_their_order_and_empty_texts_in_none():
    assert alike(["", "b7", "9", "B-7", "", "b7", "09", "8"]) == [["b7", "B-7"], ["9", "09"]]


def test_the_preferred_then_the_commonest_then_the_first_way_is_chosen():
    assert joined(["b", "B", "B", "x"]) == {"b": "B", "B": "B"}
    assert joined(["b", "B", "B"], {"b"}) == {"b": "b", "B": "b"}
    assert joined(["B", "b"]) == {"b": "B", "B": "B"}


@pytest.mark.parametrize(
    "word",
    ["", " ", "NA", "na", "N/A", "#N/A", "<NA>", "NaN", "-nan", "NaT", "None", "NULL", "Unknown ",
     "[unknown]", "n.a.", "k. A.", "-", "--", "?", "\uff2e\uff21", "ANONYMOUS", "not available",
     "Unknown patient", "no patient id", "missing value", "hospital unknown", "#VALUE!", "#REF!",
     "#DIV/0!", "\\N", "(blank)", "TBD", "nicht bekannt"],
)  # fmt: skip
def test_words_that_mean_that_nobody_knows(word):
    assert is_unknown(word)


def test_other_words_mean_somebody():
    assert not any(map(is_unknown, ["0", "P1", "Nairobi", "Noneuil", "N1", "Nan Goldin"]))
    assert not any(
        map(is_unknown, ["No", "N", "Leer", "Value", "Patient", "Hospital", "patient 0"])
    )


def test_a_list_of_ones_own_takes_the_place_of_the_words():
    assert is_unknown("-1.0", ["-1", "999"])
    assert is_unknown("0999", ["-1", "999"])
    assert not is_unknown("1", ["-1", "999"])
    assert not is_unknown("NA", ["-1"])
    assert not is_unknown("NA", [])
    assert is_unknown("", [])


def test_a_long_number_that_a_spreadsheet_has_rounded():
    assert all(map(is_rounded, ["1.2E+11", "1,23457e+11"]))
    assert not any(map(is_rounded, ["12E5", "1.5E+01", "1.23457E+11x", "7.0", "P1.2E+11"]))
