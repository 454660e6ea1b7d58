"""How cells and words become labels: `map` with all others, `ignore`, cells that are uncertain."""

from __future__ import annotations

import json

import pytest
from pictures import grey

from medfl.datasets.described.fact_sections import Labels
from medfl.datasets.described.labels import LabelRules, is_among, mapped
from medfl.errors import MedflError
from medfl.files.exclusions import LeftOut


def rules(multilabel: bool = False, **section: object) -> LabelRules:
    return LabelRules(Labels.model_validate(section), multilabel, "set.yaml")


@pytest.mark.parametrize("others", ["*", "all others"])
def test_all_others(others):
    one = rules(map={"mel": "malignant", "x": "", others: "benign"})
    assert one.of_text("mel") == ("malignant",)
    assert one.of_text("nv") == one.of_text("df") == ("benign",)
    for text in ("", "x"):  # no label is no other label
        with pytest.raises(LeftOut, match="has no label"):
            one.of_text(text)
    assert one.of_text("NA") == ("NA",)  # which is warned of


def test_all_others_in_one_cell():
    one = rules(separator="|", map={"mel": "malignant", "*": "other"})
    assert one.of_text("mel|nv|df") == ("malignant", "other")
    with pytest.raises(LeftOut, match="`rest`, which is ignored"):
        rules(map={"a": "a", "*": "rest"}, ignore=["rest"]).of_text("b")


def test_numbers_are_named_by_their_value():
    assert mapped({"-1": "0"}, "-1.0") == "0"
    assert mapped({"1": "one", "1.0": "real"}, "1.0") == "one"
    assert is_among("2.0", ["2"])
    assert not is_among("02", ["2"])
    assert not is_among("a", ["b"])


def cells(one: LabelRules, **row: str) -> tuple[str, ...]:
    return one.of_cells(row, "line 2")


def test_uncertain_cells_are_asked_about_mapped_or_left_out():
    with pytest.raises(MedflError, match=r"map: \{'-1.0': '0'\}\}, or .* \{ignore: \['-1.0'\]\}"):
        cells(rules(True), a="1.0", b="-1.0")
    assert cells(rules(True, map={"-1": "0"}), a="1.0", b="-1.0") == ("a",)
    assert cells(rules(True, map={-1: "1"}), a="1.0", b="-1.0") == ("a", "b")
    assert cells(rules(True, map={"-1": ""}), a="1.0", b="-1.0") == ("a",)
    for section in (
        {"ignore": [-1]},
        {"ignore": ["-1.0"]},
        {"map": {"-1.0": "unsure"}, "ignore": ["unsure"]},
    ):
        one = rules(True, **section)
        assert cells(one, a="1.0", b="0.0") == ("a",)
        assert cells(one, a="", b="0") == ()
        with pytest.raises(LeftOut, match="which is ignored"):
            cells(one, a="1.0", b="-1.0")


def test_all_other_cells_and_all_other_columns():
    one = rules(True, map={"u": "1", "*": "0"})
    assert cells(one, a="maybe", b="u", c="1", d="nan") == ("b", "c")
    one = rules(True, map={"*": "left"}, ignore=["left"])
    with pytest.raises(LeftOut, match="`left`, which is ignored"):
        cells(one, a="1", b="maybe")
    one = rules(True, map={"a": "first", "*": "other"})
    assert cells(one, a="1", b="1", c="1", d="0") == ("first", "other")
    assert one.classes([("first", "other")], ["a", "b", "c"]) == ("first", "other")


def test_a_column_may_be_ignored_as_a_label():
    one = rules(True, ignore=["b"])
    assert cells(one, a="1", b="0") == ("a",)
    with pytest.raises(LeftOut, match="`b`, which is ignored"):
        cells(one, a="1", b="1")
    assert one.classes([("a",), ("c",)], ["a", "b", "c"]) == ("a", "c")


def test_what_is_left_out_as_uncertain_is_counted(made):
    for number in range(4):
        grey(f"x/{number}.png", number)
    text = "folder: ../../x\nsize: 8\ntable: labels.csv\ncolumns: {label: [a, b]}\n"
    text += "labels: {ignore: [-1]}"
    store = made(text, "file,a,b\n0,1.0,\n1,-1.0,1\n2,0.0,1.0\n3,,-1\n")
    assert store.labels.tolist() == [[1, 0], [0, 1]]
    record = json.loads((store.path / "prepare.json").read_text())
    assert record["excluded_by_reason"] == {
        "has the label `-1.0`, which is ignored": 1,
        "has the label `-1`, which is ignored": 1,
    }
