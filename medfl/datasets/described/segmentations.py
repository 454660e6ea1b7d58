"""Tell segmentations that lie beside images from the images, by the names of files and folders.

``x_mask.png`` beside ``x.png``, ``benign/masks/x.png`` beside ``benign/images/x.png``,
``labelsTr/x.nii.gz`` beside ``imagesTr/x_0000.nii.gz``: a file that is called like a segmentation
is taken for one only where there is an image that it belongs to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, product

from medfl.datasets.described.called import called, cell_path
from medfl.datasets.described.files import Found, id_pattern
from medfl.datasets.described.schema import Description
from medfl.datasets.described.table import file_columns
from medfl.datasets.folder_words import denies, only_role, surely_masks, without_role
from medfl.datasets.tables import Table
from medfl.imaging.kinds import ENDINGS

SEGMENTATION = "is called like a segmentation of an image beside it"
_ENDINGS = tuple(sorted((e for ends in ENDINGS.values() for e in ends), key=len, reverse=True))

MOST = 4  # folders of one path that may be called ``lung masks``: each doubles what is looked up
MANY = 20  # segmentations of one image, above which they are none

Words = tuple[str, ...]
_parts = cache(without_role)
_only_role = cache(only_role)


def leave_out_segmentations(
    data: Description, found: Found, table: Table | None
) -> tuple[Found, list[str]]:
    """Leave segmentations beside images out, unless the description or the table names them.

    Returns:
        The other files, and warnings.
    """
    if data.segmentations == "keep" or any(without_role(part)[1] for part in data.files.split("/")):
        return found, []
    asked = [id_pattern(one.files) for one in data.modalities.values() if one.files]
    files = [name for name in found.files if not any(one.fullmatch(name) for one in asked)]
    stated = data.labels.level if "level" in data.labels.model_fields_set else None
    told = find_segmentations(files, data.labels.words, stated)
    beside = told.beside
    if table is not None and data.columns.key is None and not asked:
        beside = beside - _named_by(table, data, found, beside)
    warnings = []
    if beside:
        warnings.append(
            f"{len(beside):,} segmentations (masks …) beside images, by their names, are left out: "
            "`segmentations: keep` takes them for images"
        )
    alone = len(told.alone) if table is None else 0
    if alone:
        warnings.append(
            f"{alone:,} files are called like segmentations (masks …), and no image is beside them "
            "by its name: they are taken for images; leave them out by `files:` if they are none"
        )
    return found.without(beside, SEGMENTATION), warnings


def _named_by(
    table: Table, data: Description, found: Found, beside: Collection[str]
) -> frozenset[str]:
    """Find those that the table names, by a name that no image has."""
    columns = file_columns(data, table).values()
    cells = {cell_path(row[column], found) for row in table for column in columns}
    images = set().union(*(called(name) for name in found.files if name not in beside))
    return frozenset(
        name for name in beside if name in cells or not cells.isdisjoint(called(name) - images)
    )


@dataclass(frozen=True)
class Segmentations:
    """What was told apart among files.

    Attributes:
        beside: each segmentation of an image that is there.
        alone: files that are called like segmentations and belong to no image.
    """

    beside: frozenset[str]
    alone: frozenset[str]


@dataclass(frozen=True)
class _Name:
    """A path without the words for images and segmentations.

    Attributes:
        folders: what its folders may be called; one called ``lung masks`` may be left out, too.
        stem: the words of the file's name.
        masks: the places of folders that are called like segmentations.
        marked: whether the path, its folders or the name, says segmentation.
        parts: the folders as they are.
    """

    folders: frozenset[tuple[Words, ...]]
    stem: Words
    masks: tuple[int, ...]
    marked: bool
    parts: tuple[str, ...]


def find_segmentations(
    files: Iterable[str], classes: Collection[str] = (), level: int | None = None
) -> Segmentations:
    """Find segmentations among files, by their paths with ``/``.

    Args:
        files: images of all kinds.
        classes: words that a person names as labels: such a folder holds a class.
        level: where the folders lie that a person names as labels, 1 the topmost.
    """
    known = {word.casefold() for word in classes}
    names = {file: _read(file, known, level) for file in files}
    marked = {file: name for file, name in names.items() if name.marked}
    if not marked:
        return Segmentations(frozenset(), frozenset())
    images = _Images([name for name in names.values() if not name.marked])
    beside = {file for file, name in marked.items() if images.have(name)}
    # A folder of nothing but segmentations may lie anywhere: most of its names are those of images.
    of_folder: dict[tuple[str, ...], list[str]] = defaultdict(list)
    classes_of_masks = any(map(denies, {part for name in names.values() for part in name.parts}))
    for file, name in marked.items():
        if file not in beside and name.masks and not classes_of_masks:
            of_folder[name.parts[: name.masks[0] + 1]].append(file)
    for folder, members in of_folder.items():
        sure = surely_masks(folder[-1])  # else numbers may agree by chance: GT/1 and AK/1
        stems = [marked[file].stem for file in members]
        known_stems = [one in images.stems and (sure or not _is_number(one)) for one in stems]
        if sum(known_stems) * 2 >= len(members):
            beside |= set(members)
    if len(beside) > MANY * (len(names) - len(marked)):  # classes: label_0, label_1 beside a logo
        beside = set()
    return Segmentations(frozenset(beside), frozenset(marked.keys() - beside))


class _Images:
    """The images by what they are called.

    Args:
        names: those of all files that are not called like segmentations.
    """

    def __init__(self, names: Sequence[_Name]) -> None:
        self.stems = {name.stem for name in names if name.stem}
        self.in_folder: dict[tuple[Words, ...], set[Words]] = defaultdict(set)
        self.beginnings: dict[tuple[Words, ...], set[Words]] = defaultdict(set)
        self.parents: set[tuple[str, ...]] = set()
        for name in names:
            for folder in name.folders:
                self.in_folder[folder].add(name.stem)
                self.beginnings[folder] |= set(_beginnings(name.stem))
            self.parents |= {
                name.parts[:place] for place, part in enumerate(name.parts) if _only_role(part)
            }

    def have(self, name: _Name) -> bool:
        """Whether a segmentation belongs to one of them."""
        for folder in name.folders:
            stems = self.in_folder.get(folder, set())
            if name.stem in self.beginnings.get(folder, ()):
                return True
            if not stems.isdisjoint(_beginnings(name.stem)):
                return True
        return any(
            name.parts[:place] in self.parents and _only_role(name.parts[place])
            for place in name.masks
        )


def _read(file: str, classes: Collection[str], level: int | None) -> _Name:
    *parts, last = file.split("/")
    options: list[list[tuple[Words, ...]]] = []
    masks: list[int] = []
    for place, part in enumerate(parts):
        rest, is_mask, is_image = _parts(part)
        if part.casefold() in classes or place + 1 == level:
            options.append([((part,),)])
            continue
        bare: tuple[Words, ...] = (rest,) if rest or not (is_mask or is_image) else ()
        several = is_mask and bool(rest) and len(masks) < MOST
        options.append([bare, ()] if several else [bare])
        if is_mask:
            masks.append(place)
    stem, named, _ = _parts(without_ending(last))
    folders = frozenset(tuple(chain.from_iterable(chosen)) for chosen in product(*options))
    return _Name(folders, stem, tuple(masks), bool(masks) or named, tuple(parts))


def _beginnings(stem: Words) -> list[Words]:
    """List the words from the first one on, as long as may be: 1, 1 2, 1 2 3."""
    return [stem[:count] for count in range(len(stem) + 1)]


def _is_number(stem: Words) -> bool:
    return all(word.isdecimal() for word in stem)


def without_ending(name: str) -> str:
    """Take the ending of an image off its name or path: ``a/x.nii.gz`` gives ``a/x``."""
    low = name.lower()
    ending = next((one for one in _ENDINGS if low.endswith(one)), "")
    return name[: len(name) - len(ending)] if ending else name
