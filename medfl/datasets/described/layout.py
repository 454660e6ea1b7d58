"""Guess which level of folders holds the classes, where a description does not say it.

Most public sets put something above or between: ``archive/train/ill/1.png``. A folder that holds
everything, folders of folds and numbered parts are no classes. Where two levels could be meant,
nobody but the person knows which, and it is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from medfl.datasets.described.class_folders import about_classes
from medfl.datasets.described.levels import Levels
from medfl.datasets.described.schema import Description
from medfl.datasets.folder_words import fold_word, is_part
from medfl.errors import MedflError


@dataclass(frozen=True)
class Layout:
    """Levels of folders, 1 the topmost.

    Attributes:
        label: whose names are the classes.
        fold: whose names are folds, where no description says it; None where none is.
        warnings: what was guessed, and how to say otherwise.
    """

    label: int = 1
    fold: int | None = None
    warnings: tuple[str, ...] = ()


def layout_for(
    data: Description, paths: Sequence[str], where: str, *, labels: bool, folds: bool
) -> Layout:
    """Find which folders are classes, and folds, as far as a description leaves it open.

    Args:
        data: the description.
        paths: those of the images, with ``/``.
        where: the description's file, for errors.
        labels: whether folders give the labels.
        folds: whether folders may give the folds.
    """
    if not labels:
        return Layout(warnings=tuple(unused_folds(paths) if folds else ()))
    stated = data.labels.level if "level" in data.labels.model_fields_set else None
    origins = (data.patient, data.site, data.fold)
    others = [one.level for one in origins if one.source == "folder"]
    return guess_layout(paths, where, data.labels.words, stated, others, folds)


def guess_layout(
    paths: Sequence[str],
    where: str,
    classes: Collection[str] = (),
    stated: int | None = None,
    spoken_for: Collection[int] = (),
    folds: bool = True,
) -> Layout:
    """Guess the level of the class folders.

    Args:
        paths: those of the images, with ``/``.
        where: the description, for errors.
        classes: words that the description names as labels; a level that has them is meant.
        stated: the level that the description states.
        spoken_for: levels that the description takes for something else (patients, sites, folds).
        folds: whether folders may give folds, too.

    Raises:
        MedflError: the classes are folds, or two levels could be the classes.
    """
    tree = Levels(paths)
    named = stated or _named_level(tree, classes)
    over: list[str] = []
    fold, level = None, 1
    while names := tree.names(level):
        deeper = bool(tree.names(level + 1))
        if level == named:
            break
        if deeper and level in spoken_for:
            pass
        elif tree.has_folds(level):
            if not deeper:
                raise MedflError(_only_folds(where, level, names))
            fold = fold or level
            over.append(f"folds on level {level}")
        elif named is None and _is_partly_folds(names):
            raise MedflError(_some_folds(where, level, names))
        elif deeper and len(names) > 1 and all(map(is_part, names)):
            over.append(f"numbered parts on level {level}")
        elif len(names) == 1 and tree.may_wrap(level):
            over.append(f"a folder of everything on level {level}")
        elif named is None:
            break
        level += 1
    label = named or (level if tree.names(level) else max(1, level - 1))
    warnings = []
    if over and named is None:
        warnings.append(
            f"the classes are the folders of level {label}, below {' and '.join(over)}: say "
            "`labels: {level: …}` if others are meant"
        )
    below = tree.next_below(label)
    while below is not None and (below in spoken_for or tree.has_folds(below)):
        if below not in spoken_for:
            fold = fold or below
        below = tree.next_below(below)
    if named is None:
        warnings += about_classes(tree, label, below, where)
    if not folds:
        fold = None
    if fold is not None:
        warnings.append(_about_folds(tree.names(fold), fold))
        if "" in tree.folds(fold):
            fold = None
    return Layout(label, fold, tuple(warnings))


def unused_folds(paths: Sequence[str]) -> list[str]:
    """Say that folders are called like folds, where nothing takes them for such."""
    tree = Levels(paths)
    level = tree.next_below(0)
    if level is None or not tree.has_folds(level):
        return []
    return [
        f"the folders of level {level} are called like folds, which are not used: say "
        f"`fold: {{level: {level}}}` to keep them"
    ]


def _named_level(tree: Levels, classes: Collection[str]) -> int | None:
    """Find the first level most of whose files lie in folders that are named as labels."""
    known = {word for word in classes if word}
    level = 1
    while known and (names := tree.names(level)):
        if len(names.keys() & known) > 1 or (names.keys() & known and names.keys() <= known):
            return level
        level += 1
    return None


def _about_folds(names: Counter[str], level: int) -> str:
    kinds = Counter(fold_word(name) for name in names.elements())
    if "" in kinds:
        return (
            f"the folders of level {level} are folds that do not say train, val or test, so they "
            f"are not used: say by `fold: {{level: {level}, map: {{…: test, '*': train}}}}` what "
            "they mean"
        )
    shown = ", ".join(f"{fold} {kinds[fold]:,}" for fold in ("train", "val", "test") if kinds[fold])
    return (
        f"the folds are taken from the folders of level {level} ({shown}): `fold: none` has them "
        "made anew, by patient"
    )


def _is_partly_folds(names: Collection[str]) -> bool:
    """Whether there are several folds among the names; one alone may be a class, such as a test."""
    return len({fold_word(name) for name in names} - {None}) > 1


def _only_folds(where: str, level: int, names: Collection[str]) -> str:
    shown = ", ".join(sorted(names))
    return (
        f"{where}: the folders that would be the classes are folds ({shown}), and no folders lie "
        "below them. Say where the labels are: by a `table:`, or by `labels:`; "
        f"`labels: {{level: {level}}}` takes these folders all the same."
    )


def _some_folds(where: str, level: int, names: Collection[str]) -> str:
    folds = sorted(name for name in names if fold_word(name) is not None)
    return (
        f"{where}: of the {len(names):,} folders of level {level}, {', '.join(folds)} are called "
        f"like folds, and the other {len(names) - len(folds):,} not. Say which hold the classes: "
        f"`labels: {{level: {level + 1}}}` with `fold: {{level: {level}}}` (and leave others out "
        f"by `files:`), or `labels: {{level: {level}}}` if they are classes all the same."
    )
