"""Which level of folders holds the classes, guessed from paths alone."""

from __future__ import annotations

from itertools import product

import pytest

from medfl.datasets.described.layout import guess_layout, unused_folds
from medfl.errors import MedflError


def paths(*levels: str, images: int = 2) -> list[str]:
    """Paths of images below all combinations of the words of each level."""
    return [
        "/".join([*parts, f"{number}.png"])
        for parts in product(*(level.split() for level in levels))
        for number in range(images)
    ]


def levels(given: list[str], **options: object) -> tuple[int, int | None]:
    layout = guess_layout(given, "set.yaml", **options)  # type: ignore[arg-type]
    return layout.label, layout.fold


def warnings(given: list[str], **options: object) -> str:
    return " | ".join(guess_layout(given, "set.yaml", **options).warnings)  # type: ignore[arg-type]


def asked(given: list[str], **options: object) -> str:
    with pytest.raises(MedflError) as error:
        guess_layout(given, "set.yaml", **options)  # type: ignore[arg-type]
    return str(error.value)


@pytest.mark.parametrize(
    ("given", "label", "fold"),
    [
        (paths("ill normal"), 1, None),
        (paths("train test", "ill normal"), 2, 1),
        (paths("Training Validation_set TESTING", "0 1 2"), 2, 1),
        (paths("trn dev holdout", "ill normal"), 2, 1),
        (paths("ill normal", "train val test"), 1, 2),
        (paths("ds-master", "data", "train test", "ill normal"), 4, 3),
        (paths("chest_xray", "train test", "ill normal"), 3, 2),
        (paths("chest_xray", "ill normal"), 2, None),
        (paths("train", "ill normal"), 2, None),
        (paths("images", "ill normal"), 2, None),
        (paths("ill normal", "images"), 1, None),
        (paths("fold1 fold2 fold3", "ill normal"), 2, None),
        (paths("part_1 part_2", "ill normal"), 2, None),
        (paths("ill normal", "SOB", "p1") + paths("well", "SOB", "p2"), 1, None),
        # A lone class: what lies below it are people.
        (paths("sick", "p1 p2 p3"), 1, None),
        (paths("sick", "1 2 3"), 1, None),
        (paths("DR-dataset", "0 1 2 3 4"), 2, None),
        (paths("knees", "grade0 grade1"), 2, None),
        (paths("knees", "train test", "KL0 KL1"), 3, 2),
        (paths("grade1 grade2", "p1 p2"), 1, None),
        # Images beside the folders have no label; they do not move the level.
        ([*paths("train test", "ill normal"), "preview.png"], 2, 1),
        ([*paths("train test", "ill normal"), *paths("docs")], 2, 1),
        # The competition's test images have no labels.
        ([*paths("train", "ill normal"), *paths("test")], 2, 1),
    ],
)
def test_levels(given, label, fold):
    assert levels(given) == (label, fold)


def test_plain_class_folders_are_taken_without_a_word():
    assert warnings(paths("ill normal")) == ""
    assert warnings(paths("ill normal", "images")) == ""


def test_what_was_passed_over_is_said():
    said = warnings(paths("ds", "train val test", "ill normal"))
    assert "the classes are the folders of level 3" in said
    assert "a folder of everything on level 1 and folds on level 2" in said
    assert "folders of level 2 (train 4, val 4, test 4)" in said
    assert "`fold: none`" in said
    assert "do not say train, val or test" in warnings(paths("fold1 fold2", "ill normal"))


def test_folds_without_classes_are_refused():
    assert "are folds (test, train), and no folders lie below" in asked(paths("train test"))
    assert "are folds (fold_1, fold_2)" in asked(paths("fold_1 fold_2"))


def test_some_folds_beside_other_folders_are_asked_about():
    said = asked(paths("train test unlabelled", "ill normal"))
    assert "of the 3 folders of level 1, test, train are called like folds" in said
    assert "`labels: {level: 2}` with `fold: {level: 1}`" in said
    assert "unlabelled" not in said  # no name that may be anybody's


def test_one_fold_word_may_be_a_class():
    assert levels(paths("test control")) == (1, None)
    assert "the label `test` is called like a fold" in warnings(paths("test control"))
    assert "`masks`" in warnings(paths("benign malignant masks"))


@pytest.mark.parametrize(
    "given",
    [
        paths("hospitalA hospitalB", "ill normal"),
        paths("hospitalA hospitalB", "train test", "ill normal"),
        paths("train test", "hospitalA hospitalB", "ill normal"),
        paths("case1 case2 case3", "T1 T2"),
        paths("covid normal", "axial coronal"),
        [*paths("a b", "ill normal"), *paths("c", "ill")],
        [*paths("north", "ill normal"), *paths("south", "Ill NORMAL")],
        paths("north south", "0 1"),
        paths("north south east", "1 2 3 4"),
    ],
)
def test_the_same_names_below_several_folders_are_asked_about(given):
    said = asked(given)
    assert "Which are the classes? Say `labels: {level: " in said
    assert "`site: {level: " in said
    assert "hospital" not in said


def test_numbers_below_classes_are_people_or_grades():
    given = paths("ill normal", "p1 p2 p3")
    assert levels(given) == (1, None)
    assert "3 of 3 folder names of level 2 stand below several of the 2 folders" in warnings(given)
    assert levels(given, spoken_for=[2]) == (1, None)
    assert warnings(given, spoken_for=[2]) == ""


def test_a_name_among_numbers_does_not_change_that():
    given = [*paths("ill normal", "c0 c1"), *paths("ill normal", "half")]
    assert levels(given) == (1, None)
    assert "3 of 3 folder names" in warnings(given)


def test_numbers_that_are_no_grades_below_every_folder_are_people():
    for given in (
        paths("ill normal", "1 2 3 4 5 6 7"),  # more than grades are
        paths("ill normal", "2 3"),
        [*paths("ill normal", "1 2"), *paths("ill", "3")],
        paths("ill normal", "1 3"),
    ):
        assert levels(given) == (1, None)
        assert "stand below several of the 2 folders" in warnings(given)


@pytest.mark.parametrize(
    ("given", "what", "mend"),
    [
        (paths("Hosp-A", "ill") + paths("hosp_b", "p well"), "sites", "level: 2}` with `site: {l"),
        ([*paths("site1", "ill"), *paths("Site2", "well")], "sites", "`labels: {level: 2}` with"),
        (paths("train test", "clinicA clinicB"), "sites", "`table:` with `site: {level: 2}`"),
        (paths("patient_01 patient_02 Patient-3"), "people", "`table:` with `patient: {level: 1}`"),
        (paths("sub-1 sub-2", "images"), "people", "`table:` with `patient: {level: 1}`"),
    ],
)
def test_folders_that_are_called_like_sites_or_people_are_asked_about(given, what, mend):
    said = asked(given)
    assert f"are called like {what}. Say where the labels are: " in said
    assert mend in said
    level = 2 if "table" in mend and "level: 2" in mend else 1
    assert levels(given, stated=level)[0] == level


def test_one_name_of_a_site_or_person_may_be_a_class():
    assert warnings(paths("patient control")) == ""
    assert warnings(paths("case control")) == ""
    assert warnings(paths("opposite well")) == ""
    assert warnings(paths("patients_1 controls_1")) == ""


def test_a_wrapping_folder_beside_a_flat_one_is_asked_about():
    given = [*paths("dataset", "ill normal"), *paths("samples")]
    said = asked(given)
    assert "of the 2 folders of level 1, 1 hold images themselves, and 1 only folders" in said
    assert "`labels: {level: 2}`" in said
    assert levels(given, stated=1) == (1, None)
    assert levels(given, stated=2) == (2, None)
    doubtful = [*paths("cohort", "ill normal"), *paths("benign")]
    assert levels(doubtful) == (1, None)
    assert "1 hold images themselves, and 1 only folders" in warnings(doubtful)


def test_people_parts_and_roles_below_some_classes_do_not_matter():
    for lower in ("p1 p2", "images masks", "part_1 part_2", "train test"):
        assert "themselves" not in warnings([*paths("ill", lower), *paths("normal")])
    assert "themselves" not in warnings([*paths("ill", "left right"), *paths("normal ill")])


def test_one_lower_folder_below_each_class_is_spoken_of():
    given = [*paths("north", "ill"), *paths("south", "normal")]
    assert levels(given) == (1, None)
    assert "are 2 of level 2, of which none stands below two" in warnings(given)
    assert warnings([*paths("ill", "p1"), *paths("normal", "p2")]) == ""
    assert warnings([*paths("ill", "a b c"), *paths("normal", "d e")]) == ""


def test_what_the_description_says_decides():
    folds = paths("train test", "ill normal")
    assert levels(folds, stated=1) == (1, None)
    assert levels(folds, stated=2) == (2, 1)
    assert levels(folds, classes=["test", "train"]) == (1, None)
    assert levels(folds, classes=["ill", "normal"]) == (2, 1)
    assert levels(folds, folds=False) == (2, None)
    assert "folds are taken" not in warnings(folds, folds=False)
    sites = paths("north south", "ill normal")
    assert levels(sites, stated=1) == levels(sites, classes=["north", "south"]) == (1, None)
    assert levels(sites, stated=2) == levels(sites, classes=["ill", "normal"]) == (2, None)
    assert levels(sites, spoken_for=[1]) == (2, None)
    # A class may be called like a fold where the description names it.
    assert warnings(paths("test control"), classes=["test", "control"]) == ""


def test_folds_that_nothing_takes_are_spoken_of():
    assert "`fold: {level: 2}`" in unused_folds(paths("small", "train valid", "p1 p2"))[0]
    assert unused_folds(paths("p1 p2", "train test")) == []
    assert unused_folds(["1.png"]) == []


def test_class_folders_that_are_long_numbers_are_asked_about():
    for words in ("10231 4711", "2019 2020 2021"):
        said = asked(paths(words))
        assert "called like patients, studies or years, by numbers" in said
        assert "`labels: {level: 1}` if they are classes all the same" in said
        assert levels(paths(words), stated=1) == (1, None)
    assert levels(paths("101 102")) == levels(paths("10231 other")) == (1, None)


def test_more_than_ten_classes_that_are_numbers_are_warned_of():
    ten = " ".join(map(str, range(10)))
    assert "are all numbers" not in warnings(paths(ten))
    assert "the 11 folders of level 1, which are taken for the classes, are all numbers" in (
        warnings(paths(f"{ten} 10"))
    )
    assert "are all numbers" not in warnings(paths(f"{ten} none"))
    assert warnings(paths(f"{ten} 10"), stated=1) == ""
