"""Find the folder and the table that a description names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from medfl.datasets.base import Places
from medfl.datasets.described.schema import Description
from medfl.errors import MedflError
from medfl.identity import plain_path


@dataclass(frozen=True)
class Whereabouts:
    """Where a description's files lie.

    Attributes:
        data: the description.
        path: its file.
    """

    data: Description
    path: Path

    def of(self, places: Places) -> tuple[Path, Path | None]:
        """The images' folder, and the table's file if there is one.

        Raises:
            MedflError: one of them is not there.
        """
        folder = self.path.parent
        if self.data.folder:
            looked = self.folders(places)
            there = [place for place in looked if place.is_dir()]
            if not there:
                raise MedflError(
                    f"{self.path}: the folder that `folder` names is not there: looked at "
                    f"{self._shown(looked)}."
                )
            folder = there[0]
        if not self.data.table:
            return folder, None
        looked = self._tables(folder)
        table = next((place for place in looked if place.is_file()), None)
        if table is None:
            raise MedflError(
                f"{self.path}: the file that `table` names is not there: looked at "
                f"{self._shown(looked)}."
            )
        return folder if self.data.folder else table.parent, table

    def folders(self, places: Places) -> list[Path]:
        """List where the images' folder is looked for."""
        wish = Path(self.data.folder or "").expanduser()
        return list(dict.fromkeys([self._beside(wish), *places.candidates(str(wish))]))

    def _shown(self, looked: Iterable[Path]) -> str:
        return ", ".join(plain_path(place, self.path.parent.parts) for place in looked)

    def _tables(self, folder: Path) -> list[Path]:
        wish = Path(self.data.table).expanduser()
        return list(dict.fromkeys([self._beside(wish), folder / wish]))

    def _beside(self, wish: Path) -> Path:
        """A path as the description means it, from its own place."""
        return Path(os.path.normpath(self.path.parent / wish))
