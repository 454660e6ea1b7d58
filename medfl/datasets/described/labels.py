"""Make class names of cells, folders and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from medfl.config import did_you_mean
from medfl.datasets.described.sections import Labels
from medfl.errors import MedflError
from medfl.files.exclusions import LeftOut

TRUE = {"1", "1.0", "true", "yes", "y"}
FALSE = {"0", "0.0", "false", "no", "n", ""}
NOTHING = {"nan", "na", "n/a", "#n/a", "none", "null", "-", "?"}  # how tables write an empty cell
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

    def of_text(self, text: str) -> tuple[str, ...]:
        """Read the labels in a cell, folder name or attribute; ``LeftOut`` where it has none."""
        separator = self.rules.separator
        words = [part.strip() for part in text.split(separator)] if separator else [text.strip()]
        mapped = [self.rules.rename.get(word, word) for word in words]
        if not any(words) and "" not in self.rules.rename:
            raise LeftOut(UNLABELLED)
        return self.kept(mapped)

    def of_cells(self, cells: Mapping[str, str], line: str) -> tuple[str, ...]:
        """Take the columns of a row that hold 1 as its labels; an empty cell is a 0."""
        found = []
        for column, text in cells.items():
            cell = self.rules.rename.get(text, text).casefold()
            if cell not in TRUE | FALSE:
                raise MedflError(
                    f"{line}: `{column}` holds `{text}`, not 0 or 1. Say what it means in "
                    f"{self.where}, as in labels: {{map: {{'{text}': '0'}}}}."
                )
            if cell in TRUE:
                found.append(self.rules.rename.get(column, column))
        return self.kept(found)

    def kept(self, words: Iterable[str]) -> tuple[str, ...]:
        """Take each label once; ``LeftOut`` where one is ignored, or there is none."""
        names = tuple(dict.fromkeys(filter(None, words)))
        for name in names:
            if name in self.rules.ignore:
                raise LeftOut(IGNORED.format(name))
        if not names and self.task == "multiclass":
            raise LeftOut(UNLABELLED)
        return names

    def classes(
        self, labels: Sequence[tuple[str, ...]], columns: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Give the classes in order; a label that is none of them is a ``MedflError``.

        Args:
            labels: the labels of all samples.
            columns: the label columns, whose order counts where ``classes`` are not stated.
        """
        ordered = [self.rules.rename.get(name, name) for name in columns]
        ordered = [name for name in ordered if name not in self.rules.ignore]
        where = f"{self.where}, labels.classes"
        return classes_of(labels, self.rules.classes, self.task, where, ordered)

    def warnings(self, classes: Sequence[str], labels: Sequence[tuple[str, ...]]) -> list[str]:
        """Warn about classes without a sample, like an empty cell, or like each other."""
        found = {name for names in labels for name in names}
        lines = [f"no sample has the label `{name}`" for name in classes if name not in found]
        lines += [
            f"the label `{name}` is taken for a class, though it looks like an empty cell: "
            f"`labels: {{map: {{'{name}': ''}}}}` leaves its samples out"
            for name in classes
            if name.casefold() in NOTHING
        ]
        seen: dict[str, str] = {}
        for name in classes:
            alike = re.sub(r"[\W_]+", "", name).casefold()
            if alike in seen and seen[alike] != name:
                both = f"`{seen[alike]}` and `{name}`"
                lines.append(f"the labels {both} look like one: `labels.map` can join them")
            seen[alike] = name
        return lines


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
        MedflError: a label is not stated, or there are too few classes to tell apart.
    """
    found = {name for names in labels for name in names}
    if stated:
        for name in sorted(found - set(stated)):
            number = sum(name in names for names in labels)
            raise MedflError(
                f"{where}: {number:,} samples have the label `{name}`, which is not there"
                f"{did_you_mean(name, stated)} Add it, or map or ignore it."
            )
        if len(stated) < 2 and task == "multiclass":
            raise MedflError(
                f"{where}: `{stated[0]}` is the only class; at least two are needed. Name "
                "the others, or leave `classes` out."
            )
        return tuple(stated)
    classes = list(dict.fromkeys(filter(None, ordered)))
    classes += sorted(found - set(classes), key=_naturally)
    if not classes:
        raise MedflError(f"{where}: no sample has a label.")
    if len(classes) < 2 and task == "multiclass":
        raise MedflError(
            f"{where}: all {len(labels):,} samples have the label `{classes[0]}`; at least two "
            "classes are needed."
        )
    return tuple(classes)


def _naturally(name: str) -> list[tuple[int, int, str]]:
    """Make a sort key by which 2 comes before 10."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]
