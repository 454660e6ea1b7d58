"""Read the official fold of each sample, as a table, folders or names tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from medfl.datasets.described.fact_sections import Folds
from medfl.datasets.described.join import Item
from medfl.datasets.described.origins import Origins
from medfl.datasets.described.renames import NOTHING, mapped
from medfl.datasets.folder_words import fold_word
from medfl.errors import MedflError
from medfl.store import FOLDS


def official_fold(word: str | None, line: str, rename: Mapping[str, str] | None = None) -> str:
    """Say which fold a word means: train, val or test; empty where it means nothing.

    Args:
        word: as people write it.
        line: where it stands, for errors.
        rename: what else words mean, by words in small letters.

    Raises:
        MedflError: nothing says which fold it means.
    """
    if not word or word.casefold() in NOTHING:
        return ""
    fold = mapped(rename or {}, word.casefold())
    if fold not in (*FOLDS, ""):  # the map does not name it
        fold = fold_word(word) or word
    if fold not in (*FOLDS, ""):
        raise MedflError(
            f"{line}: a fold there is not called train, val or test, nor like them (training, "
            "validation, Test_set …). Say what its name means by `fold: {map: {…: train}}`, "
            "where '*' stands for all others."
        )
    return fold


@dataclass(frozen=True)
class FoldReader:
    """Reads one sample after another.

    Attributes:
        stated: what the description says.
        column: the table's column of folds; empty where it has none.
        level: where the folders lie that were found to be folds; None where none were.
        origins: what reads paths and headers.
        met: takes the words that were read.
    """

    stated: Folds
    column: str
    level: int | None
    origins: Origins
    met: set[str]

    @property
    def title(self) -> str:
        """What gives the folds, for warnings."""
        if self._by_table:
            return "the folds of the table"
        words = {"name": "the folds in the files' names", "dicom": "the folds in the headers"}
        return words.get(self.stated.source, "the folders of the folds")

    @property
    def _by_table(self) -> bool:
        return self.stated.source == "table" or (self.stated.source == "auto" and bool(self.column))

    def of(self, item: Item, line: str) -> str:
        """Give train, val or test; empty where a sample has no fold.

        Args:
            item: the sample.
            line: where it stands, for errors.

        Raises:
            LeftOut: the slices of a volume lie in several folds.
            MedflError: nothing says which fold a word means.
        """
        word = self._word(item)
        self.met.add(word or "")
        return official_fold(word, line, self.stated.rename)

    def _word(self, item: Item) -> str | None:
        name = item.files[0]
        if self._by_table:
            return item.row[self.column] if item.row else ""
        if self.stated.source != "auto":
            return self.origins.of(name, self.stated, self.stated.source, "folds")
        return None if self.level is None else self.origins.of_folder(name, self.level, "folds")
