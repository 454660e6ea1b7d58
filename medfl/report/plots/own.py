"""A person's own figure, of which all that it says is checked before the page needs it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from medfl.errors import MedflError, own_code
from medfl.own_class import check_said, check_type
from medfl.pages.html import environment
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.questions import TITLES

TEMPLATES = Path(__file__).parents[1] / "templates"
CURVES = ("y", "limits", "digits", "chance", "arms")  # what the page's script reads


class OwnFigure(GridFigure):
    """Asks a person's own figure, which can change nothing of what other figures are given.

    Args:
        word: the word of the configuration.
        figure: the figure.
    """

    title = needs = ""

    def __init__(self, word: str, figure: GridFigure) -> None:
        self._figure, self._where = figure, f"the figure `{word}`"
        with self._asked():
            said = {name: getattr(figure, name) for name in ("title", "needs", "marks")}
            self.per, self.both, self.shown = figure.per, figure.both, figure.shown  # type: ignore[misc]
        for name, text in said.items():
            setattr(self, name, self._text(name, text))

    def caption(self, subject: Subject) -> str:
        """Its words below a picture."""
        with self._asked():
            found = self._figure.caption(_copied(subject))
        return self._text("caption", found)

    def draw(self, subject: Subject) -> Figure | None:
        """Its picture; settings of matplotlib that it makes are gone afterwards.

        What the page will ask for is asked for here, too, before any picture is written.
        """
        with self._asked(), rc_context():
            found = self._figure.draw(_copied(subject))
        if found is not None:
            check_type(found, Figure, f"{self._where}: draw", "a matplotlib Figure, or None")
            self.caption(subject)
            self.interactive(subject)
            self.rows(subject)
        return found

    def interactive(self, subject: Subject) -> Mapping[str, Any] | None:
        """What the page's script draws in its place."""
        with self._asked():
            found = self._figure.interactive(_copied(subject))
        where = f"{self._where}: interactive"
        if found is None:
            return None
        check_said(found, where)
        if lacking := [key for key in CURVES if key not in found]:
            raise MedflError(
                f"{where} lacks {' and '.join(f'`{key}`' for key in lacking)}, which the page's "
                "script draws: see `curve_data` of medfl, or leave `interactive` out."
            )
        return found

    def rows(self, subject: Subject) -> Mapping[str, Any] | None:
        """What the page shows in its place, tried on the page's own template."""
        with self._asked():
            found = self._figure.rows(_copied(subject))
        where = f"{self._where}: rows"
        if found is None:
            return None
        check_said(found, where)
        page = environment(TEMPLATES)
        page.filters["unbroken"] = str  # of another macro of the file
        macros: Any = page.get_template("macros.html.j2").module
        with own_code(f"{where} gave what the page cannot show (`evidence_rows` has the form)"):
            macros.rows(Path("x.png"), "", found)
        return found

    def words_above(self, subject: Subject) -> str:
        """Its words above a picture."""
        with self._asked():
            found = self._figure.words_above(_copied(subject))
        return self._text("words_above", found)

    def subjects(self, results: GridResults, dataset: str, **look: Any) -> list[Subject]:
        """What its pictures show."""
        with self._asked():
            found = list(self._figure.subjects(results, dataset, **look))
        where, parts = f"{self._where}: subjects", results.partitions_of(dataset)
        for one in found:
            check_type(one, Subject, where, "a list of Subjects")
            if one.dataset != dataset or one.partition not in (None, *parts):
                raise MedflError(
                    f"{where} gave a picture of {one.dataset!r}, {one.partition!r}: it must be of "
                    f"{dataset!r} and one of its partitions, or None."
                )
            if one.question not in TITLES:
                raise MedflError(f"{where} gave the unknown question {one.question!r}.")
        return found

    def _asked(self) -> AbstractContextManager[None]:
        return own_code(self._where)

    def _text(self, name: str, found: Any) -> str:
        where = f"{self._where}: {name}"
        check_type(found, str, where, "a text")
        try:
            found.encode()
        except UnicodeEncodeError as error:
            raise MedflError(f"{where} has a sign that no file can hold ({error}).") from error
        return str(found)


def _copied(subject: Subject) -> Subject:
    return replace(subject, styles=dict(subject.styles), labels=dict(subject.labels))
