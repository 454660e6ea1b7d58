"""Sites, folds and columns of which a description says what the data do not have."""

from __future__ import annotations

import json

import pytest
from pictures import grey

from medfl.errors import MedflError

HEAD = "folder: ../../x\nsize: 8\ntable: labels.csv\n"
TABLE = "file,label,patient,site,fold\n" + "".join(
    f"{k},{'ab'[k % 2]},P{k},{'NS'[k % 2]},{['one', 'two'][k // 2]}\n" for k in range(4)
)


@pytest.fixture
def told(made):
    """The warnings about a description of four pictures."""

    def tell(text: str, table: str = TABLE) -> list[str]:
        for number in range(4):
            grey(f"x/{number}.png", 60 * number)
        store = made(HEAD + text, table)
        return json.loads((store.path / "prepare.json").read_text())["warnings"]

    return tell


MAPPED = "fold: {map: {one: train, two: test}}\n"


def odd(warnings: list[str]) -> list[str]:
    return [line for line in warnings if "no sample has" in line]


def test_nothing_is_said_where_all_is_there(told):
    text = "site: {map: {N: North}, unknown: [S]}\npatient: {unknown: [P3]}\n"
    assert odd(told(MAPPED + text)) == []
    assert odd(told("fold: none\nsite: none\n")) == []


def test_a_place_that_holds_nothing(told):
    site = (
        "no sample has a site where the description, or a column `site`, says that it stands: "
        "partitions by site need another place, by `site:`"
    )
    fold = (
        "no sample has a fold where the description, or a column `fold`, says that it stands: "
        "splits make their own, by group"
    )
    assert odd(told(MAPPED + "site: {pattern: '(zz)'}\n")) == [site]
    assert odd(told(MAPPED + "site: {level: 3}\n")) == [site]
    assert odd(told("fold: {level: 3}\n")) == [fold]
    empty = "file,label,site,fold\n0,a,,\n1,b,,\n2,a,,NA\n3,b,NA,\n"
    assert odd(told("", empty)) == [site, fold]


def test_words_that_nothing_is_called(told):
    text = "fold: {map: {One: train, two: test, three: val}}\nsite: {map: {n: North, '*': ''}}\n"
    assert odd(told(text)) == [
        "no sample has a site where the description, or a column `site`, says that it stands: "
        "partitions by site need another place, by `site:`",
        "`site.map` names `n`, which no sample has: look how it is written",
        "`fold.map` names `three`, which no sample has: look how it is written",
    ]
    assert odd(told(MAPPED + "site: {map: {n: North}}\n")) == [
        "`site.map` names `n` (`N`?), which no sample has: look how it is written"
    ]


def test_words_for_nobody_are_not_repeated(told):
    text = "patient: {unknown: [Huber]}\nsite: {unknown: [999, s]}\n"
    assert odd(told(MAPPED + text)) == [
        "no sample has a word of `patient.unknown`: look how they are written"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns: {label: site}", "`site` is to be both the labels and the sites"),
        ("columns: {site: label}", "`label` is to be both the labels and the sites"),
        ("columns: {label: file}", "`file` is to be both the labels and the files"),
        ("columns: {site: file}", "`file` is to be both the sites and the files"),
        ("columns: {attributes: [file]}", "`file` is to be both the attributes and the files"),
        ("columns: {fold: label}", "`label` is to be both the labels and the folds"),
        ("columns: {label: [label, label]}", "`columns.label`: names a column twice"),
        ("columns: {file: {t1: file, t2: file}}", "`columns.file`: names a column twice"),
        ("labels: {ignore: a}", r"a list is meant: put it in brackets, as in \[this, that\]"),
    ],
)
def test_one_column_for_two_things_is_refused(told, text, message):
    with pytest.raises(MedflError, match=message):
        told(text + "\n")


def test_labels_that_are_sites_may_be_meant(told):
    assert odd(told(MAPPED + "columns: {label: site}\nsite: none\n")) == []


def test_pictures_beside_each_other_are_told_where_labels_may_stand(made):
    for number in range(3):
        grey(f"x/{number}.png", number)
    with pytest.raises(MedflError, match=r"Say where the labels are: `labels: \{level: …\}`, or a"):
        made("folder: ../../x\nsize: 8\n")
