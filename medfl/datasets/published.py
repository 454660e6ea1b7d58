"""What readers of published sets share: they match a table's rows with the images on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medfl.datasets.base import Dataset, Places
from medfl.datasets.raw_folder import RawFolder
from medfl.files.exclusions import Exclusion
from medfl.identity.spelling import alike
from medfl.store import Sample


@dataclass(frozen=True)
class Match:
    """Which rows have an image, and which images have a row.

    Attributes:
        ids: the table's ids whose image is there, in the table's order.
        missing: how many of the table's ids have no image.
        excluded: images that the table does not list.
    """

    ids: Sequence[str]
    missing: int
    excluded: Sequence[Exclusion]


def match(
    dataset: Dataset,
    places: Places,
    table: Path,
    ids: Sequence[str],
    files: Mapping[str, Path],
    tree: RawFolder,
    allow_partial: bool,
) -> Match:
    """Match a table's ids with image files.

    Raises:
        MedflError: there is no image at all; or, unless ``allow_partial``, a row has no image or an
            image no row.
    """
    there = [name for name in ids if name in files]
    absent = len(ids) - len(there)
    extra = sorted(files.keys() - set(ids))
    if not there:
        hint = _archives(tree)
        raise dataset.missing(
            places, f"is incomplete in {tree.root}: it has no image that {table.name} lists{hint}"
        )
    if absent and not allow_partial:
        first = next(name for name in ids if name not in files)
        raise dataset.missing(
            places,
            f"is incomplete in {tree.root}: {table.name} lists {len(ids):,} images, of which "
            f"{absent:,} are missing (the first is {first}){_archives(tree)}",
            partial=True,
        )
    if extra and not allow_partial:
        raise dataset.missing(
            places,
            f"is inconsistent in {tree.root}: {len(extra):,} of {len(files):,} images (the first "
            f"is {files[extra[0]].name}) are not in {table.name}, which has {len(ids):,} rows",
            partial=True,
        )
    excluded = [Exclusion(files[name].name, f"{table.name} does not list it") for name in extra]
    return Match(there, absent, excluded)


def find_table(dataset: Dataset, places: Places, tree: RawFolder, *names: str) -> Path:
    """Find the first table of these names; it is a ``MedflError`` where none is there."""
    found = tree.find(*names)
    if found is None:
        raise dataset.missing(
            places, f"is incomplete in {tree.root}: no {' or '.join(names[:2])}{_archives(tree)}"
        )
    return found


def copies_note(copies: int) -> list[str]:
    """Warn about images that lie there twice."""
    return (
        [f"{copies:,} image files are equal copies of others: each counts once"] if copies else []
    )


def about_published(samples: Sequence[Sample]) -> list[str]:
    """Warn of groups and sites of a published set, or of a copy, that look like one.

    A copy's table may have gone through a spreadsheet, which writes some ids in another way.
    """
    warnings = []
    for what, names in (
        ("groups (patients)", [one.group for one in samples]),
        ("sites", [one.site for one in samples]),
    ):
        if families := alike(names):
            warnings.append(
                f"{sum(map(len, families)):,} {what} look like {len(families):,} whose ids are "
                "written in several ways, as a spreadsheet does: one of them may be in training "
                "and in test. Compare the table with the publisher's"
            )
    return warnings


def _archives(tree: RawFolder) -> str:
    zips = tree.archives()
    return f"; there is {zips[0].name}: unpack such zip files there" if zips else ""
