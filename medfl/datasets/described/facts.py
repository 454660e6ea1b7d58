"""Collect what is known about each sample: labels, patient, site, fold, attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from medfl.datasets.described.fact_sections import Origin
from medfl.datasets.described.files import Found
from medfl.datasets.described.folds import FoldReader
from medfl.datasets.described.headers import DICOM_SITES, ISSUER, are_of_headers, names_patient
from medfl.datasets.described.join import Item
from medfl.datasets.described.labels import LabelRules
from medfl.datasets.described.layout import layout_for
from medfl.datasets.described.origins import Origins
from medfl.datasets.described.people import folder_name
from medfl.datasets.described.roles import refuse_shared
from medfl.datasets.described.schema import Description
from medfl.datasets.described.series import relabelled
from medfl.datasets.described.shown import refuse_column, refuse_patients
from medfl.datasets.described.table import files_by
from medfl.datasets.described.whose import Told, known_patient, known_site, one_spelling
from medfl.datasets.tables import Table
from medfl.errors import MedflError
from medfl.files.exclusions import Exclusion, LeftOut

if TYPE_CHECKING:
    from medfl.imaging.dicom import FileHeader

NO_FOLDER = "lies in no folder that could be its label"


@dataclass(frozen=True)
class Facts:
    """What is known about one sample, in the words of its source: not yet fit for any output."""

    labels: tuple[str, ...]
    patient: str
    site: str = ""
    fold: str = ""
    modality: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    issuer: str = ""
    study: str = ""

    @property
    def told(self) -> Told:
        """What of this tells whose it is."""
        return Told(self.patient, self.site, self.issuer, self.study)


class FactReader:
    """Reads the facts of one item after another.

    Args:
        data: the description.
        where: its file, for errors.
        found: the files.
        table: the table, if there is one.
        items: the samples.
    """

    def __init__(
        self,
        data: Description,
        where: str,
        found: Found,
        table: Table | None,
        items: Sequence[Item],
    ) -> None:
        self.data, self.where, self.found, self.table = data, where, found, table
        self.origins = Origins(found)
        self.met: dict[str, set[str]] = {"patient": set(), "site": set(), "fold": set()}
        self.rules = LabelRules(data.labels, len(self.label_columns) > 1, where)
        source = data.labels.source
        if source == "auto":
            source = "table" if self.label_columns else "folder"
        if source == "table" and not self.label_columns:
            raise MedflError(f"{where}: the labels are in no table: name it by `table:`.")
        self.label_source = source
        for key in ("patient", "site", "fold"):
            origin: Origin = getattr(data, key)
            if origin.source == "table" and not self._column(key):
                raise MedflError(
                    f"{where}: `{key}` is to come from the table, which has no such column: name "
                    f"it by `columns: {{{key}: …}}`."
                )
        whose = self._column("patient")
        labels = self.label_columns if source == "table" else []
        sites = [self._column("site")] if data.site.source in ("auto", "table") else []
        for key, names in (("label", labels), ("site", sites)):
            for name in filter(None, names):
                refuse_column(name, whose, f"{where}: columns.{key}")
        refuse_shared(
            {
                "files": files_by(data) if table is not None else [],
                "labels": labels,
                "sites": sites,
                "folds": [self._column("fold")] if data.fold.source in ("auto", "table") else [],
                "attributes": data.columns.attributes,
            },
            where,
        )
        firsts = [item.files[0] for item in items if item.files[0] not in found.copies]
        places = [{path.rpartition("/")[0]: path for path in found.paths(name)} for name in firsts]
        self.layout = layout_for(
            data,
            [path for place in places for path in place.values()],
            where,
            labels=source == "folder",
            folds=data.fold.source == "auto" and not self._column("fold"),
        )
        self.folds = FoldReader(
            data.fold, self._column("fold"), self.layout.fold, self.origins, self.met["fold"]
        )

    @property
    def by_header(self) -> bool:
        """Whether patients are those of the headers."""
        return are_of_headers(self.data.patient, self._column("patient"))

    @property
    def guesses_labels(self) -> bool:
        """Whether the labels are names of folders whose level the description does not state."""
        return self.label_source == "folder" and "level" not in self.data.labels.model_fields_set

    @property
    def guessed(self) -> str:
        """What was taken for the classes without being told to; empty where it was told."""
        return f"folders of level {self.layout.label}" if self.guesses_labels else ""

    def relabelled(self, left: Iterable[Exclusion]) -> list[Exclusion]:
        """Say of copies of slices which lie in the folder of another label."""
        if self.label_source != "folder":
            return list(left)
        return relabelled(left, lambda path: folder_name(path, self.layout.label))

    def classes(self, labels: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        """Give the classes in order; it is a ``MedflError`` if they look like patients."""
        columns = self.label_columns if len(self.label_columns) > 1 else []
        found = {name for names in labels for name in names}
        stated = self.data.labels.classes
        if not stated and len(found) > 20 and len(found) > len(labels) / 4:
            raise MedflError(
                f"{self.where}: the labels have {len(found):,} different values for "
                f"{len(labels):,} samples: these are patients or texts rather than classes. Say "
                "where the labels are by `labels:` (and who is whose by `patient:`)."
            )
        return self.rules.classes(labels, columns)

    @cached_property
    def label_columns(self) -> list[str]:
        """The columns of labels; empty where the table has none."""
        stated = self.data.columns.label
        if isinstance(stated, list):
            return stated
        column = self._column("label")
        return [column] if column else []

    def of(self, item: Item) -> Facts:
        """Read the facts of one sample; ``LeftOut`` where it lacks one that it needs."""
        header = self.found.header(item.files[0])
        cells = item.row.cells if item.row else {}
        patient = known_patient(self._met("patient", item, header), self.data.patient)
        if not patient and self.data.patient.source not in ("auto", "none"):
            raise LeftOut("has no patient")
        return Facts(
            self._labels(item, header),
            patient,
            known_site(self._met("site", item, header), self.data.site),
            self.folds.of(item, self._line(item)),
            header.modality if header is not None else "",
            self._attributes(cells, header),
            self._issuer(header),
            header.study if header is not None else "",
        )

    def in_one_spelling(self, facts: Sequence[Facts]) -> list[Facts]:
        """Give labels and sites that are written in several ways one spelling, where asked for."""
        sites = one_spelling([one.site for one in facts], self.data.site)
        labels = self.rules.one_spelling([one.labels for one in facts])
        return [
            replace(one, labels=names, site=site)
            for one, names, site in zip(facts, labels, sites, strict=True)
        ]

    def check_people(self, items: Sequence[Item], facts: Sequence[Facts]) -> None:
        """Refuse labels and sites that name the only patient who has them."""

        def named(word: str, row: int) -> bool:
            header = self.found.header(items[row].files[0])
            return header is not None and names_patient(word, header)

        patients = [one.patient for one in facts]
        labels, sites = [one.labels for one in facts], [(one.site,) for one in facts]
        if len(self.label_columns) < 2:  # the names of columns are no values
            refuse_patients("labels", labels, patients, self.where, named)
        refuse_patients("site", sites, patients, self.where, named)

    def patients_of_table(self) -> set[str]:
        """List everyone whom the table names, also those without a file."""
        column = self._column("patient")
        columns = {column} if column else set()
        if self.data.columns.key is not None:
            columns.add(self.data.columns.key[1])
        rows = self.table if self.table is not None else ()
        return {row[name] for row in rows for name in columns} - {""}

    def _column(self, key: str) -> str:
        """Find the table's column of a fact: the stated one, or the standard one if it is there."""
        if self.table is None:
            return ""
        stated = getattr(self.data.columns, key)
        return stated or (key if key in self.table.columns else "")

    def _labels(self, item: Item, header: FileHeader | None) -> tuple[str, ...]:
        if self.label_source == "table":
            if item.row is None:
                raise LeftOut("no row of the table names it")
            cells = {name: item.row[name] for name in self.label_columns}
            if len(cells) > 1:
                return self.rules.of_cells(cells, self._line(item))
            return self.rules.of_text(*cells.values())
        if self.label_source == "folder":
            name = self.origins.of_folder(item.files[0], self.layout.label, "labels")
            if name is None:
                raise LeftOut(NO_FOLDER)
            return self.rules.of_text(name)
        text = self.origins.of_header(item.files[0], [self.data.labels.attribute], "labels") or ""
        if header is not None and names_patient(text, header):
            raise LeftOut(f"has a name or number of its patient in {self.data.labels.attribute}")
        return self.rules.of_text(text)

    def says(self, key: str) -> bool:
        """Whether the description, or a column, says where sites (or folds) stand."""
        source = getattr(self.data, key).source
        return source not in ("auto", "none") or (source == "auto" and bool(self._column(key)))

    def _met(self, key: str, item: Item, header: FileHeader | None) -> str:
        """A patient or site, which is remembered; empty where it has none."""
        word = self._origin(key, item, header) or ""
        self.met[key].add(word)
        return word

    def _origin(self, key: str, item: Item, header: FileHeader | None) -> str | None:
        """A patient or site; None where it has none."""
        origin: Origin = getattr(self.data, key)
        source, column = origin.source, self._column(key)
        if source == "auto":
            source = "table" if column else "dicom" if header is not None else "none"
        if source == "table":
            return (item.row[column] if item.row else "") or None
        if source == "dicom" and not origin.attribute:
            standard = ("PatientID",) if key == "patient" else DICOM_SITES
            return self.origins.of_header(item.files[0], standard, f"{key}s")
        return self.origins.of(item.files[0], origin, source, f"{key}s")

    def _issuer(self, header: FileHeader | None) -> str:
        """Who gave the id, where it is that of the header."""
        return header.attributes[ISSUER].strip() if header is not None and self.by_header else ""

    def _attributes(self, cells: Mapping[str, str], header: FileHeader | None) -> dict[str, str]:
        found = {}
        for name in self.data.columns.attributes:
            if name in cells:
                found[name] = cells[name]
                continue
            # What is no column is a keyword, as reading the table has checked.
            if header is None:
                raise LeftOut(f"is no DICOM file, so it has no {name}")
            found[name] = header.attributes[name].strip()
            if names_patient(found[name], header):
                raise LeftOut(f"has a name or number of its patient in {name}")
        return found

    def _line(self, item: Item) -> str:
        if item.row is None or self.table is None:
            return self.where
        return f"{self.table.path}, line {item.row.line}"
