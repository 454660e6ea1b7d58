"""The base of the report's figures: a title, a caption, what it needs, and how it is drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from matplotlib.figure import Figure

from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.plots.style import ArmStyle
from medfl.report.questions import TITLES, WHOSE, bare
from medfl.results.column import Column
from medfl.results.columns import OWN

Shown = Literal["first", "open", "folded"]


@dataclass(frozen=True)
class Subject:
    """Which runs a picture shows, and how their arms look.

    Attributes:
        results: the results of a grid.
        dataset: the dataset that the picture shows.
        partition: the partition that it shows; None for a picture of all partitions.
        styles: how each arm is drawn, in every picture alike.
        labels: what each arm is called there.
        question: which of the two questions it answers, ``OWN`` or ``EVERYONE``.
    """

    results: GridResults
    dataset: str
    partition: str | None = None
    styles: dict[str, ArmStyle] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    question: str = OWN

    @property
    def title(self) -> str:
        """What the picture shows, within its dataset."""
        return partition_title(self.partition) if self.partition else self.dataset

    @property
    def metric(self) -> Column:
        """The primary metric of the dataset, as the answer to the question."""
        return self.results.primary(self.dataset, self.question)

    @property
    def metric_words(self) -> str:
        """That metric within a sentence, with the question that it answers."""
        return f"{bare(self.metric)} on {self.samples}"

    @property
    def samples(self) -> str:
        """The samples that the picture is about, and whose model judges them."""
        return f"test samples ({TITLES[self.question]}: {WHOSE[self.question]})"

    @property
    def place(self) -> str:
        """What the picture shows, with its dataset."""
        return f"{self.dataset}, {self.title}" if self.partition else self.dataset


class GridFigure(ABC):
    """One kind of picture of a grid's results.

    Class attributes:
        title: the heading above its pictures.
        per: whether there is one for each partition, or one for a whole dataset.
        both: whether there is one for each question that a dataset's arms answer; else one picture
            speaks of both, or of what no question is asked about.
        needs: what the runs must have for it, in words; without that the page says
            that the picture is not drawn, and that it needs this.
        marks: what lines, bands and bars are, in a few words below the title in the picture itself,
            which may be shown without its caption.
        shown: whether the page shows all of its pictures at once, or one after a click on its
            name, where they are many or large; ``first`` stands beside the answer.
    """

    title: ClassVar[str]
    per: ClassVar[Literal["partition", "dataset"]] = "dataset"
    both: ClassVar[bool] = False
    needs: ClassVar[str]
    marks: ClassVar[str] = ""
    shown: ClassVar[Shown] = "open"

    @abstractmethod
    def caption(self, subject: Subject) -> str:
        """What the picture shows and how it is read, in a sentence or two below it."""

    @abstractmethod
    def draw(self, subject: Subject) -> Figure | None:
        """The picture; None where the runs do not have what it needs."""

    def interactive(self, subject: Subject) -> Mapping[str, Any] | None:
        """What the page's script draws in place of the picture; None for the picture itself."""
        return None

    def rows(self, subject: Subject) -> Mapping[str, Any] | None:
        """What the page shows as rows in place of the picture (``evidence_rows.py`` says how)."""
        return None

    def words_above(self, subject: Subject) -> str:
        """The words above a picture: what it shows, and what its marks are."""
        about = f" ({TITLES[subject.question]})" if self.both else ""
        return "\n".join(filter(None, (f"{self.title}: {subject.place}{about}", self.marks)))

    def subjects(self, results: GridResults, dataset: str, **look: Any) -> list[Subject]:
        """What the pictures of a dataset show: one partition each, or the whole dataset.

        With ``both`` there is one of each for every question.
        """
        parts: list[str | None] = [None]
        if self.per == "partition":
            parts = [*results.partitions_of(dataset)]
        asked = results.questions(dataset) if self.both else (OWN,)
        return [
            Subject(results, dataset, part, question=question, **look)
            for part in parts
            for question in asked
        ]
