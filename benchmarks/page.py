"""Writes the figures of ``docs/performance.md``: ``python -m benchmarks.page``.

They come from the reference files, and the page has no other: a test compares both.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results_file import FOLDER, Figure, Part, Record, read_record
from benchmarks.timing import ROOT
from medfl.errors import MedflError
from medfl.files import write_text

PAGE = ROOT / "docs" / "performance.md"
PLACES = ("reference", "intel", "h100")  # the files of results whose figures the page shows
HEADS = ("figure", "median", "spread", "pairs", "target", "behind it")
TITLES = {
    "rounds": "A round",
    "workers": "A round on two cores",
    "augment": "Augmentation",
    "startup": "The start of a job",
    "memory": "Memory",
    "grid": "Large grids",
    "results": "Tables and report",
    "short": "Short runs",
    "reading": "Reading images",
    "large": "Images on the disk",
    "secure": "Secure aggregation",
    "encryption": "Homomorphic encryption",
    "robust": "Robust rules",
    "gpu": "Rounds, memory, jobs and clients",
}


def rendered(record: Record) -> str:
    """The tables of a record, and what of it missed its target."""
    machine, versions = record.machine, [" ".join(pair) for pair in record.versions.items()]
    where = f"{machine.words()}, {machine.memory_gib} GiB of memory; {', '.join(versions)}"
    missed = [figure.name for _, figure in record.figures() if figure.verdict == "MISSED"]
    lines = [
        f"Measured on {where}.",
        f"Above their targets: {'; '.join(missed) or 'none'}.",
    ]
    order = [*TITLES, *record.parts]
    for name in sorted(record.parts, key=order.index):
        lines += ["", f"### {TITLES.get(name, name)}", "", *_part(record.parts[name])]
    return "\n".join(lines)


def _part(part: Part) -> list[str]:
    day, commit = part.started[:10], part.commit or "outside git"
    if commit.endswith("-dirty"):
        commit = f"{commit[:10]} with edits"
    elif part.commit:
        commit = commit[:10]
    ended = f" Ended early: {part.failed}." if part.failed else ""
    said = [f"- {words}" for words in (*part.words, *_not_measured(part.figures))]
    rows = [_row(figure) for figure in part.figures if figure.ratios]
    table = [HEADS, tuple("---" for _ in HEADS), *rows] if rows else []
    return [
        f"{day}, commit {commit}.{ended}",
        *([""] if table else []),
        *(f"| {' | '.join(row)} |" for row in table),
        *([""] if said else []),
        *said,
    ]


def _not_measured(figures: Sequence[Figure]) -> list[str]:
    """A sentence for each reason, with the figures that it left out."""
    names: dict[str, list[str]] = {}
    for figure in figures:
        if not figure.ratios:
            # How many seconds were missing is no news.
            note = "no time was left" if figure.note.startswith("did not fit") else figure.note
            names.setdefault(note, []).append(f"`{figure.name}`")
    return [
        f"{', '.join(those)} {'is' if len(those) == 1 else 'are'} not measured here: {note}."
        for note, those in names.items()
    ]


def _row(figure: Figure) -> tuple[str, ...]:
    low, high = figure.spread
    target = "" if figure.target is None else f"{figure.target:.3g}"
    busy = "others kept the machine busy" * figure.busy
    behind = "; ".join(word for word in (figure.unit, figure.note, busy) if word)
    return (
        figure.name,
        f"**{shown(figure.median)}**" if figure.verdict == "MISSED" else shown(figure.median),
        f"{shown(low)} to {shown(high)}",
        str(len(figure.ratios)),
        target,
        behind,
    )


def shown(number: float) -> str:
    """Three digits, without an exponent."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:#.3g}"


def marks(place: str) -> tuple[str, str]:
    """The lines between which the page has the figures of a file."""
    return f"<!-- figures of {place}.json: written by python -m benchmarks.page -->", (
        f"<!-- end of figures of {place}.json -->"
    )


def with_figures(page: str, record: Record, place: str = PLACES[0]) -> str:
    """The page with the figures of a record in their place.

    Raises:
        MedflError: the page has no place for them.
    """
    begin, end = marks(place)
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise MedflError(f"the page has no place for figures: put `{begin}` and `{end}` there.")
    return f"{before}{begin}\n\n{rendered(record)}\n\n{end}{after}"


def main() -> int:
    """Write the page anew."""
    try:
        page = PAGE.read_text(encoding="utf-8")
        for place in PLACES:
            page = with_figures(page, read_record(FOLDER / f"{place}.json"), place)
        write_text(PAGE, page)
    except MedflError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
