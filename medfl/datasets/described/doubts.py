"""Warn of what a person should look at: labels, and ids that may be of several people or of one."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from medfl.datasets.described.files import RELABELLED, Found
from medfl.datasets.described.id_words import about_id_words
from medfl.datasets.described.join import Item
from medfl.datasets.described.layout import Layout
from medfl.datasets.described.origins import DISAGREE
from medfl.datasets.described.schema import Description
from medfl.datasets.described.segmentations import without_ending
from medfl.datasets.described.shown import is_called_patient
from medfl.datasets.folder_words import fold_word, is_part, only_role
from medfl.datasets.tables import Table
from medfl.files.exclusions import Exclusion
from medfl.identity.spelling import is_unknown

if TYPE_CHECKING:
    from medfl.datasets.described.facts import FactReader
    from medfl.datasets.described.kept import Kept

FEWEST = 3  # files with one word behind another image's name that are no chance
_ADDED = re.compile(r"(.+?)[\s_.-]+\(?([^\W\d_]+)\)?[0-9]?")
FEW, SHARE, TIMES = 10, 0.1, 10
"""A patient's samples are too many from this number, share of all, and times the median on."""


def doubts_about(kept: Kept, reader: FactReader, groups: Sequence[str]) -> list[str]:
    """Gather what a person should look at of patients, labels and files.

    Args:
        kept: N samples, and what is known of them.
        reader: that has read it.
        groups: whose each sample is.
    """
    data, items, names = reader.data, kept.items, kept.whose.names
    labels, sites = [one.labels for one in kept.facts], [one.site for one in kept.facts]
    firsts = [item.files[0] for item in items]
    warnings = [*about_places(items, names, data, reader.layout), *about_share(names)]
    warnings += about_id_words(kept.whose.patients)
    if not reader.by_header and data.patient.source != "none":
        warnings += about_headers(items, reader.found, groups, sites)
    if reader.label_source == "table":
        warnings += about_folders(items, labels)
    if reader.table is not None and not any(names):
        warnings += about_patient_columns(reader.table)
    if reader.table is None and not data.modalities:
        warnings += about_derived(firsts)
    if data.fold.source == "auto" and not any(one.fold for one in kept.facts):
        warnings += about_fold_names(firsts)
    return warnings


def about_labels(left: Sequence[Exclusion], what: str) -> list[str]:
    """Warn of what is left out because it has two labels, patients, sites or folds."""
    warnings = []
    if odd := sum(one.reason == RELABELLED for one in left):
        warnings.append(
            f"{odd:,} {what} are there twice with different labels: the first was taken, by "
            "its path; look at those that prepare.json lists and remove the wrong ones"
        )
    for kind in ("labels", "patients", "sites", "folds"):
        if odd := sum(one.reason == DISAGREE.format(kind) for one in left):
            warnings.append(
                f"{odd:,} volumes have slices of different {kind} and are left out: look at those "
                "that prepare.json lists and put each series in one place"
            )
    return warnings


def about_folders(items: Sequence[Item], labels: Sequence[tuple[str, ...]]) -> list[str]:
    """Warn where a table's label is another than that of the class folder in which a file lies.

    A folder counts as one of a class where it is called like a label that a sample has.
    """
    known = {_bare(name) for names in labels for name in names}
    odd = 0
    for item, names in zip(items, labels, strict=True):
        folders = {_bare(part) for part in item.files[0].split("/")[:-1]} & known
        odd += bool(folders) and folders.isdisjoint(map(_bare, names))
    if not odd:
        return []
    return [
        f"{odd:,} samples have another label in the table than the folder says in which they lie: "
        "the table's was taken; look at which is right"
    ]


def about_derived(files: Sequence[str]) -> list[str]:
    """Warn of files that are called as another image is, with a word behind it, time and again.

    ``x_lesion.png`` beside ``x.png`` may be an outline, a changed copy or a further view of it.

    Args:
        files: their paths.
    """
    bases = {without_ending(file) for file in files}
    behind: Counter[str] = Counter()
    for file in files:
        added = _ADDED.fullmatch(without_ending(file))
        if added is not None and added[1] in bases:
            behind[added[2].casefold()] += 1
    odd = sum(count for count in behind.values() if count >= max(FEWEST, SHARE * len(files) / 2))
    if not odd:
        return []
    return [
        f"{odd:,} files are called as another image is, with a word behind it (as x_edited.png "
        "beside x.png): each counts as an image of its own. If they are outlines or changed "
        "copies, leave them out by `files:`; if they show the same patient, say so by `patient`"
    ]


def about_fold_names(files: Sequence[str]) -> list[str]:
    """Say that files are called like folds (``train_07.png``), where nothing takes them for such.

    Args:
        files: their paths.
    """
    folds = {fold_word(without_ending(file.rpartition("/")[2])) for file in files}
    if len(folds) < 2 or None in folds:
        return []
    return [
        "the files' names are called like folds, which are not used: say "
        "`fold: {pattern: '(train|test)'}` or the like to keep them"
    ]


def about_patient_columns(table: Table) -> list[str]:
    """Name columns that are called like a patient's number, where nothing says who is whose."""
    found = [f"`{name}`" for name in table.columns if is_called_patient(name)]
    if not found:
        return []
    return [
        f"the table has a column that is called like a patient's number ({', '.join(found)}): if "
        "it is, say `columns: {patient: …}`"
    ]


def about_share(patients: Iterable[str]) -> list[str]:
    """Warn of a patient with far more samples than the others: the id may mean that nobody knows.

    Args:
        patients: whose each sample is; empty where nobody knows.
    """
    counts = Counter(filter(None, patients))
    if len(counts) <= FEW // 2:
        return []
    usual = median(counts.values())
    odd = [n for n in counts.values() if n >= max(FEW, SHARE * counts.total(), TIMES * usual)]
    if not odd:
        return []
    return [
        f"{len(odd):,} of {len(counts):,} patients have {sum(odd):,} of {counts.total():,} "
        f"samples, and half of all have at most {usual:g}: if such an id means that nobody knows "
        "(999, test), say so by `patient: {unknown: […]}`"
    ]


def about_headers(
    items: Sequence[Item], found: Found, groups: Sequence[str], sites: Sequence[str]
) -> list[str]:
    """Warn where patients of a table or of paths divide those of the headers (PatientID).

    Numbers that headers give at several sites are compared within each. One number in all headers
    is that of an anonymiser, and tells nothing.

    Args:
        items: N samples.
        found: the files.
        groups: whose each sample is.
        sites: where each was taken; empty where nobody knows.
    """
    divided: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item, group, site in zip(items, groups, sites, strict=True):
        header = found.header(item.files[0])
        if header is not None and not is_unknown(number := header.attributes["PatientID"]):
            divided[number.strip(), site].add(group)
    odd = sum(len(of_one) > 1 for of_one in divided.values())
    if not odd or len({number for number, _ in divided}) < 2:
        return []
    return [
        f"{odd:,} of {len(divided):,} patients by the headers (PatientID) are several by what the "
        "description takes for patients. If the headers are right, one person may be in training "
        "and in test: `patient: {from: dicom}` takes theirs"
    ]


def about_places(
    items: Sequence[Item], names: Sequence[str], data: Description, layout: Layout
) -> list[str]:
    """Warn of ids that are read from paths and occur in several folders: numbering may begin anew.

    Folders of folds, sites, numbered parts and roles (``images``) do not count.

    Args:
        items: N samples.
        names: whose each is.
        data: the description.
        layout: what its folders are.
    """
    origin = data.patient
    if origin.source not in ("folder", "name"):
        return []
    known = {one.level for one in (data.site, data.fold) if one.source == "folder"} | {layout.fold}
    places: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for item, name in zip(items, names, strict=True):
        if name:
            above = _above(item.files[0], origin.pattern, origin.level)
            kept = [part for level, part in enumerate(above, start=1) if level not in known]
            places[name].add(tuple(part for part in kept if not _is_common(part)))
    odd = sum(len(found) > 1 for found in places.values())
    if not odd:
        return []
    return [
        f"{odd:,} of {len(places):,} patients have an id that stands in the paths below several "
        "folders, and count as one each. If the folders number their own patients, take the folder "
        "into the id: put the brackets of `patient: {pattern: …}` around it, too"
    ]


def _above(path: str, pattern: str, level: int) -> list[str]:
    """List the folders above the place where an id stands in a path."""
    parts = path.split("/")[:-1]
    if not pattern:
        return parts[: level - 1]
    match = re.search(pattern, path)
    return path[: match.start(1)].split("/")[:-1] if match else parts


def _is_common(part: str) -> bool:
    return is_part(part) or only_role(part) or fold_word(part) is not None


def _bare(word: str) -> str:
    return re.sub(r"[\W_]+", "", word).casefold()
