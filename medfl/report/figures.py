"""Draws all pictures of a grid, each under a name that says what it shows."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.figure import Figure

from medfl.errors import MedflError
from medfl.files.processes import can_fork, map_isolated
from medfl.pages import fonts
from medfl.pages.figures import RC, save
from medfl.pages.html import data_uri
from medfl.report.attacked import PEACE
from medfl.report.grid_results import GridResults
from medfl.report.names import arm_label
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.own import OwnFigure
from medfl.report.plots.registry import FIGURES
from medfl.report.plots.style import arm_styles
from medfl.results.columns import EVERYONE, OWN
from medfl.results.runs import REFERENCE

LETTERS = 11  # of a title in an inch


class OnPage(NamedTuple):
    """What a page needs to show a picture: one of three.

    Attributes:
        curves: what its script draws.
        rows: what its template draws.
        uri: the picture itself, as the address of an image; empty beside one of the others.
    """

    curves: Mapping[str, Any] | None
    rows: Mapping[str, Any] | None
    uri: str


@dataclass(frozen=True)
class Picture:
    """A place on the page, with the picture that is drawn for it.

    Attributes:
        path: the PNG file; the SVG file lies beside it. None where the runs do not have what the
            figure needs, which the page then says.
        figure: the figure that drew it; it has the title and the place on the page.
        subject: the runs that it shows.
        shown: in which form the page shows it; None where it is not drawn.
    """

    path: Path | None
    figure: GridFigure
    subject: Subject
    shown: OnPage | None = None

    @property
    def caption(self) -> str:
        """What it shows and how it is read."""
        return self.figure.caption(self.subject)


def draw_figures(
    results: GridResults,
    folder: Path,
    chosen: Sequence[str] | None = None,
    cores: int = 1,
    endings: Sequence[str] = (),
) -> list[Picture]:
    """Draw every picture as PNG and SVG into ``folder``; those that cannot be drawn have no path.

    Args:
        results: the runs.
        folder: where the pictures go, ``<figure>_<dataset>_<partition>.png``; one for everyone's
            patients, beside one for own patients, has ``_everyone`` behind that.
        chosen: names of ``FIGURES``, or a person's own ``my_package.module:MyFigure``; None for
            all that are built in.
        cores: how many processes draw.
        endings: further forms of each picture: ``.pdf``.
    """
    places = _places(results, folder, _chosen(FIGURES if chosen is None else chosen))

    def draw(place: _Place) -> tuple[OnPage | None, list[str]]:
        drawn, shown = _draw(place.figure, place.subject), None
        if drawn is not None:
            shown = _shown(place, _save(place.word, drawn, place.stem, endings))
        del drawn
        gc.collect(0)  # a picture is many things that hold one another
        return shown, fonts.missing()

    gc.freeze()  # what was read stays: a collection after each picture need not look at it
    try:
        # Matplotlib bears no threads: where no process can be forked, this one draws all.
        if cores > 1 and can_fork():
            drawn = map_isolated(draw, places, "figures", _lost, cores, unit="figure", long=True)
            done = list(drawn)
        else:
            done = list(map(draw, places))
    finally:
        gc.unfreeze()
    pictures = []
    for place, (shown, letters) in zip(places, done, strict=True):
        fonts.remember(letters)
        path = place.stem.with_name(f"{place.stem.name}.png") if shown else None
        pictures.append(Picture(path, place.figure, place.subject, shown))
    return pictures


def _lost(place: _Place, why: str) -> tuple[OnPage | None, list[str]]:
    raise MedflError(
        f"{place.stem}: the process that draws it was ended from outside, or crashed twice; there "
        "may be too little memory. Call the command again; `--cores 1` needs less."
    )


class _Place(NamedTuple):
    """A picture to draw: the figure, by the word that chose it, the runs, and the files' name."""

    word: str
    figure: GridFigure
    subject: Subject
    stem: Path


def _places(
    results: GridResults, folder: Path, kinds: Mapping[str, tuple[str, GridFigure]]
) -> list[_Place]:
    references = [
        arm
        for arm in results.arms
        if all(results.role(dataset, arm) == REFERENCE for dataset in results.datasets)
    ]
    # Arms that nobody attacks come first: they give the others in some figures their colours.
    attacked = [arm for one in results.attacks for arm in results.under(one)]
    styles = arm_styles([*results.under(PEACE), *attacked], references)
    places = []
    for dataset in results.datasets:
        labels = {
            question: {
                arm: arm_label(arm, results.marked(dataset, arm, question)) for arm in results.arms
            }
            for question in (EVERYONE, OWN)
        }
        for name, (word, figure) in kinds.items():
            look = {"styles": styles, "labels": labels[OWN]}
            for subject in figure.subjects(results, dataset, **look):
                if subject.question != OWN:
                    subject = replace(subject, labels=labels[subject.question])
                apart = "" if subject.question == OWN else subject.question
                words = (name, dataset, subject.partition, apart)
                stem = folder / "_".join(word for word in words if word)
                places.append(_Place(word, figure, subject, stem))
    return places


def _draw(figure: GridFigure, subject: Subject) -> Figure | None:
    """The picture, of which the page can use the words too; None where it cannot be drawn."""
    drawn = figure.draw(subject)
    if drawn is not None and not drawn.get_suptitle():
        with rc_context(RC):
            wide = int(LETTERS * drawn.get_figwidth())
            lines = [fill(one, wide) for one in figure.words_above(subject).splitlines()]
            drawn.suptitle("\n".join(lines), fontsize=10)
    return drawn


def _save(word: str, drawn: Figure, stem: Path, endings: Sequence[str]) -> Path:
    """Write a picture's files; what matplotlib cannot draw of an own figure is its mistake.

    Returns:
        The path of the PNG.
    """
    ended: OSError | MemoryError | None = None  # which is nobody's
    with FIGURES.guarded(word, f"the figure `{word}`: its picture cannot be written"):
        try:
            path = save(drawn, stem, (".svg", ".png", *endings))
        except (OSError, MemoryError) as error:
            ended = error
    if ended is not None:
        raise ended
    return path


def _shown(place: _Place, path: Path) -> OnPage:
    """The form in which the page shows a picture, of which a PNG is there."""
    curves, rows = place.figure.interactive(place.subject), place.figure.rows(place.subject)
    return OnPage(curves, rows, "" if curves or rows else data_uri(path))


def _chosen(words: Iterable[str]) -> dict[str, tuple[str, GridFigure]]:
    """Words and figures by the first part of files' names; a person's own is named by its class."""
    found: dict[str, tuple[str, GridFigure]] = {}
    for word in words:
        name = word.rsplit(":", 1)[-1]
        if name in found:
            raise MedflError(f"two figures are called {name}: give one of their classes another.")
        figure = FIGURES.create(word, {})
        found[name] = word, figure if word in FIGURES else OwnFigure(word, figure)
    return found
