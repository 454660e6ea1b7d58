"""Count the names of folders, level by level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from medfl.datasets.folder_words import (
    fold_word,
    is_generic,
    is_grade,
    is_numbered,
    names_a_collection,
    only_role,
)
from medfl.identity.spelling import spelling


class Levels:
    """The names of folders by level.

    Args:
        paths: those of the files, with ``/``.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.parts = [path.split("/")[:-1] for path in paths]
        self._names: dict[int, Counter[str]] = {}

    def names(self, level: int) -> Counter[str]:
        """Count the files of each folder's name at a level."""
        if level not in self._names:
            deep = (parts[level - 1] for parts in self.parts if len(parts) >= level)
            self._names[level] = Counter(deep)
        return self._names[level]

    def folds(self, level: int) -> set[str | None]:
        """Say which folds the names of a level mean, as ``fold_word`` does."""
        return {fold_word(name) for name in self.names(level)}

    def has_folds(self, level: int) -> bool:
        """Whether a level has several names, and all are those of folds.

        One that holds no folders does not count beside folds that do: its images have no class.
        """
        names = self.names(level)
        if len(names) < 2 or None not in self.folds(level):
            return len(names) > 1
        deep = {parts[level - 1] for parts in self.parts if len(parts) > level}
        return len(deep) > 1 and None not in map(fold_word, deep)

    def next_below(self, level: int) -> int | None:
        """Find the next level with several names; None where there is none."""
        level += 1
        while len(self.names(level)) == 1:
            level += 1
        return level if self.names(level) else None

    def may_wrap(self, level: int) -> bool:
        """Whether a level's only folder may hold everything, rather than be the only class.

        What lies below a lone class are patients or studies, which have numbers.
        """
        (name,) = self.names(level)
        below = self.next_below(level)
        if below is None:
            return False
        lower = self.names(below)
        if fold_word(name) is not None or is_generic(name) or only_role(name):
            return True
        if self.has_folds(below) or all(map(is_grade, lower)):
            return True
        if all(one.isdecimal() for one in lower):  # grades, or people
            return names_a_collection(name)
        return not all(map(is_numbered, lower))

    def below(self, upper: int, lower: int) -> dict[str, set[str]]:
        """List the names of a lower level, in one spelling, below each folder of an upper one.

        A folder that holds no folders of the lower level has none.
        """
        found: dict[str, set[str]] = {name: set() for name in self.names(upper)}
        for parts in self.parts:
            if len(parts) >= lower:
                found[parts[upper - 1]].add(spelling(parts[lower - 1]))
        return found

    def with_files(self, level: int) -> set[str]:
        """List the names of folders of a level that hold files themselves."""
        return {parts[-1] for parts in self.parts if len(parts) == level}
