"""Make class names of cells, folders and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from medfl.config import did_you_mean
from medfl.datasets.described.fact_sections import Labels
from medfl.datasets.described.renames import (
    NOTHING,
    about_unused,
    is_among,
    mapped,
    of_others,
    refuse_contradictions,
)
from medfl.errors import MedflError
from medfl.files.exclusions import LeftOut
from medfl.identity import quoted
from medfl.identity.spelling import alike, is_unknown, joined

TRUE = {"1", "1.0", "true", "yes", "y"}
FALSE = {"0", "0.0", "false", "no", "n", ""}
_UNSURE = re.compile(r"u|uncertain|unclear|unsure|equivocal|indeterminate|inconclusive", re.I)
UNLABELLED = "has no label"
IGNORED = "has the label `{}`, which is ignored"


class LabelRules:
    """Applies the ``labels`` section of a description.

    Args:
        rules: the section.
        multilabel: whether the data have several columns of labels.
        where: the description's file, for errors.
    """

    def __init__(self, rules: Labels, multilabel: bool, where: str) -> None:
        self.rules = rules
        self.where = where
        several = multilabel or bool(rules.separator)
        self.task: Literal["multiclass", "multilabel"] = rules.task or (
            "multilabel" if several else "multiclass"
        )
        if several and self.task == "multiclass":
            raise MedflError(
                f"{where}: several label columns, or a separator, make a multilabel dataset: leave "
                "`labels.task` out."
            )
        refuse_contradictions(rules.rename, rules.ignore, f"{where}: labels")
        self._met: set[str] = set()  # the words of the data, before and after `map`

    def of_text(self, text: str) -> tuple[str, ...]:
        """Read the labels in a cell, folder name or attribute; ``LeftOut`` where it has none."""
        separator = self.rules.separator
        words = [part.strip() for part in text.split(separator)] if separator else [text.strip()]
        if not any(words) and "" not in self.rules.rename:
            raise LeftOut(UNLABELLED)
        return self.kept(self.renamed(word) for word in words)

    def renamed(self, word: str) -> str:
        """Give a label its name by ``map``; ``'*'`` there stands for all that nothing names."""
        self._met.add(word)
        return mapped(self.rules.rename, word, but=self.rules.ignore)

    def of_cells(self, cells: Mapping[str, str], line: str) -> tuple[str, ...]:
        """Take the columns of a row that hold 1 as its labels; an empty cell is a 0.

        ``LeftOut`` where a cell holds what is ignored, such as -1 for uncertain.
        """
        found = []
        for column, text in cells.items():
            cell = self._cell(text)
            if cell is None:
                shown = f"`{text}`" if text.casefold() in NOTHING else quoted(text)
                bare = shown.strip("`")
                raise MedflError(
                    f"{line}: `{column}` holds {shown}, not 0 or 1. Say what it means in "
                    f"{self.where}, as in labels: {{map: {{'{bare}': '0'}}}}, or leave such "
                    f"samples out: labels: {{ignore: ['{bare}']}}."
                )
            if cell:
                found.append(column)
        return self.kept(self._column(column) for column in found)

    def _cell(self, text: str) -> bool | None:
        """Say whether a cell means yes; None where nothing says what it means."""
        self._met.add(text)
        word = mapped(self.rules.rename, text, others=False)
        if word.casefold() not in TRUE | FALSE and self._others_are_cells:
            word = of_others(self.rules.rename) or ""
        if ignored := [one for one in (text, word) if is_among(one, self.rules.ignore)]:
            raise LeftOut(IGNORED.format(ignored[0]))
        return word.casefold() in TRUE if word.casefold() in TRUE | FALSE else None

    def _column(self, name: str) -> str:
        """Give a column's label."""
        self._met.add(name)
        others = not self._others_are_cells
        return mapped(self.rules.rename, name, others, but=self.rules.ignore)

    @property
    def _others_are_cells(self) -> bool:
        """Whether ``'*'`` means cells of label columns, not the columns: it gives 0, 1 or none."""
        given = of_others(self.rules.rename)
        return given is not None and (
            given.casefold() in TRUE | FALSE or is_among(given, self.rules.ignore)
        )

    def kept(self, words: Iterable[str]) -> tuple[str, ...]:
        """Take each label once; ``LeftOut`` where one is ignored, or there is none."""
        names = tuple(dict.fromkeys(filter(None, words)))
        self._met.update(names)
        for name in names:
            if is_among(name, self.rules.ignore):
                raise LeftOut(IGNORED.format(name))
        if not names and self.task == "multiclass":
            raise LeftOut(UNLABELLED)
        return names

    def one_spelling(self, labels: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Give labels that are written in several ways one spelling, if that is asked for."""
        if not self.rules.normalise:
            return list(labels)
        stated = {*self.rules.classes, *self.rules.rename.values()}
        chosen = joined([*stated, *(name for names in labels for name in names)], stated)
        return [tuple(dict.fromkeys(chosen.get(name, name) for name in names)) for names in labels]

    def classes(
        self, labels: Sequence[tuple[str, ...]], columns: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Give the classes in order; a label that is none of them is a ``MedflError``.

        Args:
            labels: the labels of all samples.
            columns: the label columns, whose order counts where ``classes`` are not stated.
        """
        ordered = [self._column(name) for name in columns]
        ordered = [name for name in ordered if name not in self.rules.ignore]
        if self.rules.normalise:  # as ``one_spelling`` has made the labels
            chosen = joined(ordered, {name for names in labels for name in names})
            ordered = [chosen.get(name, name) for name in ordered]
        where = f"{self.where}, labels.classes"
        return classes_of(labels, self.rules.classes, self.task, where, ordered)

    def warnings(self, classes: Sequence[str], labels: Sequence[tuple[str, ...]]) -> list[str]:
        """Warn about classes without a sample, like an empty cell, or like each other.

        ``labels.map`` and ``labels.ignore`` may name what no sample has.
        """
        found = {name for names in labels for name in names}
        lines = [f"no sample has the label `{name}`" for name in classes if name not in found]
        lines += _about_odd(classes)
        for key, words in (("map", self.rules.rename), ("ignore", self.rules.ignore)):
            lines += about_unused(f"labels.{key}", words, self._met, classes)
        how = "`labels: {normalise: true}`, or a `map` there, joins them"
        return lines + about_spellings("labels", classes, how)


def _about_odd(classes: Sequence[str]) -> list[str]:
    """Warn of classes that look like an empty cell, or like one that says that nobody knows."""
    empty = [name for name in classes if name.casefold() in NOTHING]
    odd = dict.fromkeys(empty, "looks like an empty cell")
    for name in classes:
        if re.fullmatch(r"-[0-9]+(\.0*)?", name) or _UNSURE.fullmatch(name) or is_unknown(name):
            odd.setdefault(name, "may say that nobody is sure")
    return [
        f"the label `{name}` is taken for a class, though it {what}: "
        f"`labels: {{map: {{'{name}': ''}}}}` leaves its samples out"
        for name, what in odd.items()
    ]


def about_spellings(what: str, words: Iterable[str], how: str) -> list[str]:
    """Warn of labels, or sites, that look like one; ``how`` says what joins them."""
    return [
        f"the {what} {' and '.join(f'`{word}`' for word in family)} look like one: {how}"
        for family in alike(words)
    ]


def classes_of(
    labels: Sequence[tuple[str, ...]],
    stated: Sequence[str],
    task: str,
    where: str,
    ordered: Sequence[str] = (),
) -> tuple[str, ...]:
    """Give the classes of a dataset, in order.

    Args:
        labels: the labels of all samples.
        stated: the classes where a person says them; then no others may occur.
        task: multiclass or multilabel.
        where: what says them, for errors.
        ordered: classes that come first where none are stated.

    Raises:
        MedflError: a label is not stated or holds a mark that parts labels, or there are too few
            classes to tell apart.
    """
    found = {name for names in labels for name in names}
    if parted := sum("|" in name for name in {*found, *stated}):
        raise MedflError(
            f"{where}: {parted:,} labels hold a `|`, which parts the labels of one sample. If they "
            "are several labels each, say `labels: {separator: '|'}` in a description; else rename "
            "them (there by `map`)."
        )
    if stated:
        for name in sorted(found - set(stated)):
            number = sum(name in names for names in labels)
            raise MedflError(
                f"{where}: {number:,} samples have the label {quoted(name)}, which is not there"
                f"{did_you_mean(name, stated)} Add it, or map or ignore it."
            )
        if len(stated) < 2 and task == "multiclass":
            raise MedflError(
                f"{where}: `{stated[0]}` is the only class; at least two are needed. Name "
                "the others, or leave `classes` out."
            )
        return tuple(stated)
    classes = list(dict.fromkeys(filter(None, ordered)))
    classes += sorted(found - set(classes), key=lambda name: (_naturally(name), name))
    if not classes:
        raise MedflError(f"{where}: no sample has a label.")
    if len(classes) < 2 and task == "multiclass":
        raise MedflError(
            f"{where}: all {len(labels):,} samples have the label {quoted(classes[0])}; at least "
            "two classes are needed."
        )
    return tuple(classes)


def _naturally(name: str) -> list[tuple[int, int, str]]:
    """Make a sort key by which 2 comes before 10."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]
