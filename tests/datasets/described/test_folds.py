"""Official folds of one's own data: by folders, names or the table, with the check for leaks."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from pictures import grey

from medfl.cli import main
from medfl.errors import MedflError
from medfl.store import Store

TEXT = "folder: ../../x\nsize: 8\n"


def tree(*folds: str, labels: str = "ill normal", each: int = 3, first: int = 1) -> None:
    """Images of the folders ``fold/label``, each of a patient of its own, from ``first`` on."""
    value = first - 1
    for fold in folds:
        for label in labels.split():
            for _ in range(each):
                value += 1
                grey(f"x/{fold}/{label}/p{value}_x.png", value)


def folds_of(store: Store) -> dict[tuple[str, str], int]:
    named = [store.info.classes[k] for k in store.labels]
    return dict(Counter(zip(store.folds.tolist(), named, strict=True)))


def warnings(store: Store) -> str:
    return " | ".join(json.loads((store.path / "prepare.json").read_text())["warnings"])


def test_folders_of_folds_give_the_folds_and_the_lower_ones_the_classes(made, capsys):
    tree("train", "Validation", "test_set")
    store = made(TEXT)
    assert store.info.classes == ("ill", "normal")
    assert folds_of(store) == {
        (fold, label): 3 for fold in ("train", "val", "test") for label in ("ill", "normal")
    }
    assert "the folds are taken from the folders of level 1" in capsys.readouterr().err


def test_prepare_names_the_classes_with_counts_and_how_to_name_others(place, capsys):
    tree("train", "test")
    Path("params/datasets/mine.yaml").write_text(TEXT)
    assert main(["prepare", "mine"]) == 0
    told = capsys.readouterr().out
    assert "classes: ill 6, normal 6\n" in told
    assert "these are the folders of level 2: `labels: {level: …}`" in told
    Path("params/datasets/mine.yaml").write_text(TEXT + "labels: {level: 1}\n")
    assert main(["prepare", "mine"]) == 0
    told = capsys.readouterr().out
    assert "classes: test 6, train 6\n" in told
    assert "these are" not in told


def test_counts_of_label_columns_say_how_many_have_none(place, capsys):
    for number in range(4):
        grey(f"x/{number}.png", number)
    Path("params/datasets/l.csv").write_text("file,a,b\n0,1,1\n1,0,1\n2,0,0\n3,1,0\n")
    text = TEXT + "table: l.csv\ncolumns: {label: [a, b]}\n"
    Path("params/datasets/mine.yaml").write_text(text)
    assert main(["prepare", "mine"]) == 0
    assert "classes: a 2, b 2, (none of them) 1\n" in capsys.readouterr().out


def test_folds_below_the_classes(made):
    tree("ill", "normal", labels="train test")
    store = made(TEXT)
    assert folds_of(store) == {
        (fold, label): 3 for fold in ("train", "test") for label in ("ill", "normal")
    }


def test_folds_that_are_not_wanted(made):
    tree("train", "test")
    store = made(TEXT + "fold: none\n")
    assert store.info.classes == ("ill", "normal")
    assert set(store.folds.tolist()) == {""}
    assert "folds are taken" not in warnings(store)


def test_a_level_and_a_map_of_folds(made):
    tree("fold1", "fold2", "fold3")
    assert set(made(TEXT).folds.tolist()) == {""}
    with pytest.raises(MedflError, match="a fold there is not called train, val or test"):
        made(TEXT + "fold: {level: 1}\n")
    store = made(TEXT + "fold: {level: 1, map: {Fold3: test, fold2: val, '*': train}}\n")
    assert Counter(store.folds.tolist()) == {"train": 6, "val": 6, "test": 6}
    assert store.info.classes == ("ill", "normal")


def test_folds_by_a_pattern(made):
    for number in range(6):
        fold = ("Train", "tst")[number > 3]
        grey(f"x/{'ab'[number % 2]}/{fold}-{number}.png", number)
    store = made(TEXT + "fold: {pattern: '([A-Za-z]+)-'}\n")
    assert Counter(store.folds.tolist()) == {"train": 4, "test": 2}
    lacking = made(
        TEXT + "fold: {pattern: '(Train)-'}\nlabels: {level: 1}\nname: two\n", name="two"
    )
    assert "name no fold of 2 of 6 images" in warnings(lacking)
    assert set(lacking.folds.tolist()) == {""}


def test_a_patient_in_two_folders_of_folds_is_a_leak(made):
    tree("train", each=12)
    tree("test", each=2, first=100)
    grey("x/train/ill/p900_1.png", 101)
    grey("x/test/ill/p900_2.png", 102)
    store = made(TEXT + "patient: {pattern: '(p[0-9]+)_'}\n")
    said = warnings(store)
    assert "LEAK in the folders of the folds: 1 groups (2 images) lie in two folds" in said
    assert "moves 1 images" in said
    of_group = {group: set() for group in store.groups}
    for group, fold in zip(store.groups, store.folds, strict=True):
        of_group[group].add(fold)
    assert all(len(folds) == 1 for folds in of_group.values())
    assert Counter(store.folds.tolist()) == {"train": 24, "test": 6}


def test_folds_that_cut_most_patients_are_dropped(made):
    tree("train")
    tree("test")
    store = made(TEXT + "patient: {pattern: '(p[0-9]+)_'}\n")
    assert set(store.folds.tolist()) == {""}
    assert "LEAK in the folders of the folds" in warnings(store)


def test_the_folds_of_a_table_are_checked_too(made):
    for number in range(30):
        grey(f"x/{number}.png", number)
    rows = [f"{n},{'ab'[n % 2]},p{n},{'Training' if n > 5 else 'Test set'}" for n in range(28)]
    rows += ["28,a,q,dev", "29,b,q,test"]
    store = made(TEXT + "table: labels.csv\n", "\n".join(["file,label,patient,fold", *rows]))
    assert Counter(store.folds.tolist()) == {"train": 22, "test": 8}
    assert "LEAK in the folds of the table: 1 groups (2 images)" in warnings(store)


def test_folders_of_folds_beside_a_table_are_spoken_of(made):
    tree("train", "valid")
    rows = "".join(f"{p.name},{p.parent.name}\n" for p in sorted(Path("x").rglob("*.png")))
    said = warnings(made(TEXT + "table: labels.csv\n", "file,label\n" + rows))
    assert "called like folds, which are not used: say `fold: {level: 1}`" in said
    kept = made(TEXT + "table: labels.csv\nfold: {level: 1}\n", "file,label\n" + rows)
    assert "the folders of the folds give no image to test" in warnings(kept)


def test_sites_above_the_classes_are_asked_about(made):
    tree("north", "south")
    with pytest.raises(MedflError, match=r"Which are the classes\? Say `labels: {level: 2}`"):
        made(TEXT)
    store = made(TEXT + "site: {level: 1}\n")
    assert store.info.classes == ("ill", "normal")
    assert set(store.sites.tolist()) == {"north", "south"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fold: {level: 1, map: {a: training}}", "each name can only mean train, val or test"),
        ("fold: {from: dicom}", "say which `attribute`"),
        ("fold: {pattern: 'x'}", "round brackets"),
        ("fold: {levell: 1}", "level"),
        ("fold: table", "`fold` is to come from the table, which has no such column"),
    ],
)
def test_mistakes_about_folds(made, text, message):
    tree("train", "test")
    with pytest.raises(MedflError, match=message):
        made(TEXT + text)


def test_equal_pictures_in_two_folds_or_classes_are_spoken_of(made, capsys):
    tree("train", "test")
    grey("x/test/ill/copy.png", 2)  # train/ill/p2_x.png again
    assert "LEAK: 2 images are there twice in different folds, as equal" in warnings(made(TEXT))
    assert "LEAK: 2 images" in capsys.readouterr().err
    grey("x/train/normal/copy.png", 3)  # train/ill/p3_x.png again
    store = made(TEXT + "title: again\n")
    assert "2 images are there twice with different labels, as equal files" in warnings(store)
    assert len(store) == 14
