"""Look whether the folders that are taken for classes can be meant, and ask where they are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from medfl.datasets.described.levels import Levels
from medfl.datasets.folder_words import (
    are_counted,
    fold_word,
    is_numbered,
    is_part,
    names_a_collection,
    names_a_person,
    names_a_site,
    only_role,
)
from medfl.errors import MedflError

REPEATED = 0.5  # share of a level's names that stand below several folders of the level above
LONG = 4  # digits from which on a number is one of a patient, a study or a year
MANY = 10  # classes that are numbers, beyond which they may be people
GRADES = 6  # so many numbers below every folder, from 0 or 1 on, may be classes


def about_classes(tree: Levels, label: int, below: int | None, where: str) -> list[str]:
    """Warn of class folders that may be something else; ask where they look like it.

    Args:
        tree: the folders.
        label: the level of the classes.
        below: the next level that nothing is known of; None where there is none.
        where: the description, for errors.

    Raises:
        MedflError: they look like sites, people or collections, or another level like the classes.
    """
    names = tree.names(label)
    if len(names) < 2:
        return []
    if below is not None and all(map(only_role, tree.names(below))):
        below = None
    repeats = _repeats(tree, label, below, where) if below is not None else []
    _refuse_places(names, label, below, where)
    return [*_odd_labels(names), *_numbers(names, label), *_depths(tree, label, where), *repeats]


def _odd_labels(names: Collection[str]) -> list[str]:
    """Warn of classes that are called like something else."""
    odd = sorted(name for name in names if fold_word(name) or only_role(name))
    if not odd:
        return []
    shown = ", ".join(f"`{name}`" for name in odd)
    return [
        f"the label {shown} is called like a fold, images or segmentations: if it is none, say "
        "where the labels are (`labels: {level: …}`), or leave it out (`labels: {ignore: […]}`)"
    ]


def _numbers(names: Collection[str], label: int) -> list[str]:
    """Warn of so many classes that are numbers, which people have rather than grades."""
    if len(names) <= MANY or not all(name.isdecimal() for name in names):
        return []
    return [
        f"the {len(names):,} folders of level {label}, which are taken for the classes, are all "
        f"numbers: if these are patients, say `patient: {{level: {label}}}` and where the labels "
        "are"
    ]


def _refuse_places(names: Collection[str], label: int, below: int | None, where: str) -> None:
    """Ask where all classes are called like sites, or like people."""
    sites, people = all(map(names_a_site, names)), all(map(names_a_person, names))
    numbers = all(name.isdecimal() and len(name) >= LONG for name in names)
    if not sites and not people and not numbers:
        return
    what = "sites" if sites else "people" if people else "patients, studies or years, by numbers"
    key = "site" if sites else "patient"
    lower = f"`labels: {{level: {below}}}` with " if below is not None else "a `table:` with "
    raise MedflError(
        f"{where}: all {len(names):,} folders of level {label}, which would be the classes, are "
        f"called like {what}. Say where the labels are: {lower}`{key}: {{level: {label}}}`, or "
        f"`labels: {{level: {label}}}` if they are classes all the same."
    )


def _depths(tree: Levels, label: int, where: str) -> list[str]:
    """Warn where some class folders hold images and others only folders, which may be classes."""
    own = tree.with_files(label)
    held = {name: _telling(found) for name, found in tree.below(label, label + 1).items()}
    over = {name for name, found in held.items() if len(found) > 1 and name not in own}
    flat = {name for name in own if not held[name]}
    if not over or not flat:
        return []
    said = (
        f"of the {len(held):,} folders of level {label}, {len(flat):,} hold images themselves, and "
        f"{len(over):,} only folders"
    )
    if any(map(names_a_collection, over)):
        raise MedflError(
            f"{where}: {said}, though they would be the classes. Say which hold the classes: "
            f"`labels: {{level: {label + 1}}}` (images that lie higher have none and are left "
            f"out), or `labels: {{level: {label}}}`; or leave some out by `files:`."
        )
    return [
        f"{said}: each counts as one class. Say `labels: {{level: {label + 1}}}` if the lower ones "
        "are the classes, or put all classes on one level"
    ]


def _telling(names: Iterable[str]) -> set[str]:
    """Leave out names that cannot be classes: people, parts, roles and folds."""
    return {
        name
        for name in names
        if not (is_numbered(name) or is_part(name) or only_role(name) or fold_word(name))
    }


def _repeats(tree: Levels, label: int, below: int, where: str) -> list[str]:
    """Warn where the level below could be the classes as well; ask where it looks like them."""
    held = tree.below(label, below)
    over = Counter(name for found in held.values() for name in found)
    count = sum(number > 1 for number in over.values())
    numbered = sum(map(is_numbered, over))  # as people, studies and grades are
    if not count:
        if numbered or not 1 < len(over) <= len(held):
            return []
        return [
            f"below the {len(held):,} folders of level {label}, which are taken for the classes, "
            f"are {len(over):,} of level {below}, of which none stands below two: say "
            f"`labels: {{level: {below}}}` if these are the classes, and the upper ones sites"
        ]
    both = (
        f"{count:,} of {len(over):,} folder names of level {below} stand below several of the "
        f"{len(held):,} folders of level {label}"
    )
    vague = numbered * 2 > len(over) and not are_counted(held) and not _are_grades(over, held)
    if vague or count < REPEATED * len(over):
        return [
            f"{both}, which are taken for the classes: say `labels: {{level: {below}}}` if these "
            "are sites or people, and the lower ones the classes"
        ]
    raise MedflError(
        f"{where}: {both}. Which are the classes? Say `labels: {{level: {below}}}` (and what the "
        f"upper ones are: `site: {{level: {label}}}` or `patient: {{level: {label}}}`), or "
        f"`labels: {{level: {label}}}`."
    )


def _are_grades(over: Counter[str], held: Collection[str]) -> bool:
    """Whether the same few numbers without a gap stand below every folder, as classes do."""
    if not all(name.isdecimal() for name in over) or set(over.values()) != {len(held)}:
        return False
    numbers = sorted(map(int, over))
    first, count = numbers[0], len(numbers)
    return first < 2 <= count <= GRADES and numbers == list(range(first, first + count))
