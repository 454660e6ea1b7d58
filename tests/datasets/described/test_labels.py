"""How cells and words become labels: `map` with all others, `ignore`, cells that are uncertain."""

from __future__ import annotations

import json

import pytest
from pictures import grey

from medfl.datasets.described.fact_sections import Labels
from medfl.datasets.described.labels import LabelRules
from medfl.datasets.described.renames import is_among, mapped
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


def test_an_ignored_label_is_none_of_all_others():
    one = rules(map={"mel": "malignant", "*": "benign"}, ignore=["unclear", -1])
    assert one.of_text("nv") == ("benign",)
    for text in ("unclear", "-1.0"):
        with pytest.raises(LeftOut, match=f"`{text}`, which is ignored"):
            one.of_text(text)
    one = rules(True, map={"a": "first", "*": "other"}, ignore=["c"])
    with pytest.raises(LeftOut, match="`c`, which is ignored"):
        cells(one, a="1", b="1", c="1")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"map": {"u": "a"}, "ignore": ["u"]}, "`u` stands in `map` and in `ignore`"),
        ({"map": {"-1.0": "0"}, "ignore": [-1]}, "`-1` stands in `map` and in `ignore`"),
        ({"ignore": ["*"]}, r"labels.ignore: `\*` stands for all others in `map` alone"),
        ({"map": {"1": "a", "1.0": "b"}}, "`1` and `1.0` are one number with two names"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(section, message):
    with pytest.raises(MedflError, match=message):
        rules(**section)


def test_one_number_may_stand_twice_with_one_name():
    assert rules(map={"1": "a", "1.0": "a"}).of_text("1.00") == ("a",)


def test_words_of_map_and_ignore_that_no_sample_has():
    one = rules(map={"wel": "good", "x": "y", "1": "one"}, ignore=["uncler", "y"])
    with pytest.raises(LeftOut):
        one.of_text("x")
    assert one.of_text("1.0") == ("one",)
    assert one.of_text("unclear") == ("unclear",)
    assert one.of_text("well") == ("well",)
    labels = [("unclear",), ("well",), ("one",)]
    assert one.warnings(["unclear", "well", "one"], labels)[-2:] == [
        "`labels.map` names `wel` (`well`?), which no sample has: look how it is written",
        "`labels.ignore` names `uncler` (`unclear`?), which no sample has: look how it is written",
    ]


def test_columns_and_cells_count_as_words_that_there_are():
    one = rules(True, map={"a": "A", "u": "1", "b": "B", "q": "0"}, ignore=["C", "-1"])
    assert cells(one, a="u", b="0") == ("A",)
    assert one.classes([("A",)], ["a", "b"]) == ("A", "B")
    assert [line for line in one.warnings(["A"], [("A",)]) if "names" in line] == [
        "`labels.map` names `q`, which no sample has: look how it is written",
        "`labels.ignore` names `C`, `-1`, which no sample has: look how it is written",
    ]


def test_classes_that_may_say_that_nobody_is_sure_are_warned_of():
    names = ["0", "1", "-1", "-1.0", "Uncertain", "unknown", "benign", "u", "NaN", "-1.5"]
    said = rules().warnings(names, [(name,) for name in names])
    unsure = ["-1", "-1.0", "Uncertain", "unknown", "u"]
    assert [line for line in said if "nobody is sure" in line] == [
        f"the label `{name}` is taken for a class, though it may say that nobody is sure: "
        f"`labels: {{map: {{'{name}': ''}}}}` leaves its samples out"
        for name in unsure
    ]
    assert sum("`NaN` is taken for a class, though it looks like an empty" in one for one in said)


def test_an_empty_word_in_a_column_of_0_and_1_is_shown():
    with pytest.raises(MedflError, match=r"`a` holds `NaN`, .*map: \{'NaN': '0'\}"):
        cells(rules(True), a="NaN", b="1")
    with pytest.raises(MedflError, match="`a` holds `…`"):
        cells(rules(True), a="Huber", b="1")


def test_labels_that_hold_the_mark_that_parts_labels_are_told_how_to_part_them():
    one = rules()
    with pytest.raises(MedflError, match=r"2 labels hold a `\|`.*separator: '\|'.*`map`"):
        one.classes([("a|b",), ("c",), ("a|d",)])


def test_a_word_that_no_sample_has_may_be_a_name():
    one = rules(map={"a": "x"}, ignore=["b", "Huber", "Hubermann"])
    assert one.of_text("a") == ("x",)
    assert one.of_text("Huberman") == ("Huberman",)
    assert one.warnings(["x", "Huberman"], [("x",), ("Huberman",)])[-1] == (
        "`labels.ignore` names `b`, `Huber` (`Huberman`?), `Hubermann` (`Huberman`?), which no "
        "sample has: look how it is written"
    )
    assert one.warnings(["x"], [("x",)])[-1] == (
        "`labels.ignore` names `b`, `…` (word 2 there), `…` (word 3 there), which no sample has: "
        "look how it is written"
    )
