"""Turn a described dataset into an entry beside the catalog's."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medfl.datasets.base import Dataset, Places
from medfl.datasets.described.decode import Reader, channel_names
from medfl.datasets.described.doubts import about_labels, doubts_about
from medfl.datasets.described.facts import NO_FOLDER, FactReader
from medfl.datasets.described.files import Found, count_files, list_files
from medfl.datasets.described.fixed import fixed
from medfl.datasets.described.headers import wanted_of_headers
from medfl.datasets.described.join import Item, gather
from medfl.datasets.described.kept import Kept, keep
from medfl.datasets.described.names import file_names
from medfl.datasets.described.people import groups_of, numbered
from medfl.datasets.described.schema import Description
from medfl.datasets.described.segmentations import leave_out_segmentations
from medfl.datasets.described.series import find_volumes, slices_hint, slices_or_reason
from medfl.datasets.described.settings import settings_for
from medfl.datasets.described.shown import check_attributes
from medfl.datasets.described.spacing import common_spacing
from medfl.datasets.described.table import modalities_of, read_described_table
from medfl.datasets.described.together import together_note, together_of
from medfl.datasets.described.unsaid import about_unsaid
from medfl.datasets.described.whereabouts import Whereabouts
from medfl.datasets.described.whose import about_patients, about_sites, about_studies
from medfl.datasets.official import settle_folds
from medfl.errors import MedflError
from medfl.files import sha256_file
from medfl.files.exclusions import Exclusion
from medfl.identity import FileNames, Pseudonyms, load_key
from medfl.identity.file_names import is_plain
from medfl.imaging.codes import dicom_code
from medfl.imaging.source_size import SEPARATOR
from medfl.store import Sample
from medfl.store.raw import RawData


@dataclass(frozen=True, kw_only=True)
class DescribedDataset(Dataset):
    """A dataset whose files a YAML file describes.

    Attributes:
        data: the description.
        path: its file.
    """

    data: Description
    path: Path

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Find the files, join them with the table, and say how they are decoded.

        What cannot be used is left out and listed, whatever ``allow_partial`` says.
        """
        folder, table_path = self._whereabouts.of(places)
        table = read_described_table(self.data, table_path) if table_path is not None else None
        series = self.data.format == "dicom-series"
        found = list_files(
            folder,
            self.data.files,
            self.data.format,
            wanted_of_headers(self.data, str(self.path), table),
            slices_or_reason if series else None,
        )
        ours = [os.path.realpath(path) for path in (table_path, self.path) if path is not None]
        # ``realpath`` ends where links turn round.
        left = [one for one in found.left if os.path.realpath(folder / one.file) not in ours]
        listed = replace(found, left=left)
        found, notes = leave_out_segmentations(self.data, listed, table)
        found = find_volumes(found) if series else found
        items, left = gather(self.data, found, table)
        left += found.left
        reader = FactReader(self.data, str(self.path), found, table, items)
        kept = keep(items, left, reader)
        facts, left = kept.facts, list(kept.left)
        if not kept.items:
            others = sorted(one.file for one in found.left)
            shown = (name for name in others if all(map(is_plain, name.split("/"))))
            tables = ", ".join(name for name in shown if name.endswith((".csv", ".tsv")))
            hint = f" There is {tables}: name it by `table:`." if tables and table is None else ""
            if not hint and any(one.reason == NO_FOLDER for one in left):
                hint = " Say where the labels are: `labels: {level: …}`, or a `table:` with them."
            raise MedflError(
                f"{self.path}: no sample is left of {len(items):,} ({_why(left)}).{hint}"
            )
        pseudonyms = Pseudonyms(load_key(places.work_root), self.name)
        try:
            classes = reader.classes([one.labels for one in facts])
        except MedflError as error:
            hint = f" Left out were {len(left):,} ({_why(left)})." if left else ""
            if reader.guessed:
                hint += f" The {reader.guessed} were taken: say `labels: {{level: …}}` for others."
            raise MedflError(f"{error}{hint}") from error
        known = {*classes, *(one.site for one in facts)}
        people = {one.patient for one in facts} | reader.patients_of_table()
        named = file_names(self.data.file_names, listed, pseudonyms, known - {""}, people)
        described = self.description_sha(places)
        raw = self._raw(kept, reader, pseudonyms, named, size, described)
        return replace(raw, warnings=[*raw.warnings, *notes])

    def known_sites(self, places: Places) -> Sequence[str] | None:
        """None of them, where neither description nor table nor a header may say where they are.

        No file of an image is opened: those that are called like pictures count as pictures.
        """
        if self.data.site.source not in ("auto", "none"):
            return None
        try:
            folder, path = self._whereabouts.of(places)
            table = read_described_table(self.data, path) if path is not None else None
            headers, any_file = (
                count_files(folder, self.data.files, form) for form in ("dicom", "auto")
            )
        except (MedflError, OSError):  # what is wrong is said when it is prepared
            return None
        asked = self.data.site.source == "auto"
        named = table is not None and (self.data.columns.site or "site") in table.columns
        return None if (asked and (named or headers)) or not any_file else ()

    def description_sha(self, places: Places) -> str:
        """Hash the description, then its table: an edit of either makes the store again."""
        try:
            table = self._whereabouts.of(places)[1]
        except MedflError:  # the folder or the table is not there
            table = None
        return sha256_file(fixed(self.path)) + (sha256_file(table) if table is not None else "")

    def count(self, places: Places) -> tuple[Path | None, int]:
        """Say where the files lie and count them; a folder that is not there is no mistake yet."""
        if self.data.folder and not any(
            place.is_dir() for place in self._whereabouts.folders(places)
        ):
            return None, 0
        folder = self.folder(places)
        return folder, count_files(folder, self.data.files, self.data.format)

    def missing(
        self, places: Places, problem: str = "is not there", name: str = "", partial: bool = False
    ) -> MedflError:
        """The error of a folder that is not there: the description names it, and no list does."""
        try:
            self.folder(places)
        except MedflError as error:
            return error
        return super().missing(places, problem, name, partial)

    def folder(self, places: Places) -> Path:
        """Where the images lie."""
        return self._whereabouts.of(places)[0]

    @property
    def _whereabouts(self) -> Whereabouts:
        return Whereabouts(self.data, self.path)

    def _raw(
        self,
        kept: Kept,
        reader: FactReader,
        pseudonyms: Pseudonyms,
        named: FileNames,
        size: int,
        described: str,
    ) -> RawData:
        found, items, facts = reader.found, kept.items, kept.facts
        labels = [one.labels for one in facts]
        classes = reader.classes(labels)
        reader.check_people(items, facts)
        warnings = [
            *reader.layout.warnings,
            *reader.rules.warnings(classes, labels),
            *(w.rstrip(".") for w in found.warnings),
        ]
        if self.data.format == "auto":
            headers = (found.header(item.files[0]) for item in items)
            warnings = [*slices_hint(filter(None, headers)), *warnings]
        warnings += about_labels(kept.left, "volumes or slices" if found.stacks else "images")
        patients = [one.patient for one in facts]
        where = f"{self.path}: columns.attributes"
        warnings += check_attributes([one.attributes for one in facts], patients, where)
        ids = numbered([item.key for item in items], pseudonyms.sample)
        groups = groups_of(kept.whose.names, ids, pseudonyms, warnings)
        warnings += [*kept.whose.warnings, *about_patients(kept.whose, groups)]
        warnings += about_studies([one.told for one in facts], groups)
        warnings += doubts_about(kept, reader, groups)
        warnings += about_sites([one.site for one in facts])
        warnings += about_unsaid(reader, facts)
        modalities = modalities_of(self.data, reader.table)
        settings = settings_for(self.data, modalities, facts, self.path)
        codes = [one.modality or dicom_code(self.data.modality) for one in facts]
        samples = [
            Sample(ident, one.labels, group, one.site, code, one.fold, one.attributes)
            for ident, one, group, code in zip(ids, facts, groups, codes, strict=True)
        ]
        samples, more = settle_folds(samples, reader.folds.title)
        warnings += more
        read = [[found.source(file) for file in item.files] for item in items]
        # A lone file stands for itself; slices and several modalities are tuples.
        sources = [
            parts[0] if len(parts) == 1 and isinstance(parts[0], Path) else tuple(parts)
            for parts in read
        ]
        stacks = {stack.files: stack for stack in found.stacks.values()}
        together = together_of(self.data.frames, self.data.fusion)
        info: dict[str, Any] = {
            "classes": classes,
            "task": reader.rules.task,
            "modality": Counter(codes).most_common(1)[0][0],
            "channels": channel_names(settings, modalities),
            "spacing": common_spacing(
                found, (item.files for item in items), settings, size, together == "frame"
            ),
        }
        if kept.whose.undecided:
            info["undecided_patients"] = kept.whose.undecided
        if self.data.fusion == "late" and len(settings) > 1:
            info["branches"] = tuple(one.channel_count for one in settings)
        names = [one or "image" for one in modalities]
        record = dict(zip(names, (one.model_dump(mode="json") for one in settings), strict=True))
        return RawData(
            samples,
            sources,
            Reader(settings, size, stacks, self.data.frame, tuple(modalities), together),
            described,
            notes=together_note(together, modalities),
            names=[named(item.key) for item in items],
            excluded=[one.renamed(named) for one in sorted(kept.left, key=lambda one: one.file)],
            warnings=warnings,
            sizes=dict(_sizes(found, items)),
            scan=found.scan,
            settings={
                "description": described,
                "size": size,
                "preprocess": record,
                **({"labels": reader.guessed} if reader.guessed else {}),
            },
            info=info,
        )


def _why(left: Sequence[Exclusion]) -> str:
    """Say the commonest reasons for which samples were left out."""
    reasons = Counter(one.reason for one in left).most_common(3)
    return "; ".join(f"{number:,}: {reason}" for reason, number in reasons)


def _sizes(found: Found, items: Sequence[Item]) -> Iterator[tuple[int, str]]:
    """Give row and size of each image and volume of DICOM, whose headers were read already."""
    for row, item in enumerate(items):
        name = item.files[0]
        header = found.header(name)
        if header is None or len(item.files) > 1:
            continue
        sides = [header.rows, header.columns]
        slices = len(found.stacks[name].slices) if name in found.stacks else header.frames
        if name in found.stacks:  # a mosaic's tiles are smaller than its image
            sides = list(found.stacks[name].slices[0].shape)
        yield row, SEPARATOR.join(map(str, [slices, *sides] if slices > 1 else sides))
