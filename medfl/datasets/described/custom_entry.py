"""Make of a ``CustomMedicalDataset`` an entry beside the catalog's."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medfl.config import did_you_mean
from medfl.datasets.base import Dataset, Places
from medfl.datasets.described.custom import (
    CustomMedicalDataset,
    CustomSample,
    class_name,
    load_samples,
)
from medfl.datasets.described.custom_people import rules_of, told_by
from medfl.datasets.described.custom_sources import ArraySource, CallSource, Open
from medfl.datasets.described.decode import Reader, channel_names
from medfl.datasets.described.doubts import about_share
from medfl.datasets.described.fact_sections import PatientRules, SiteRules
from medfl.datasets.described.folds import official_fold
from medfl.datasets.described.labels import about_spellings, classes_of
from medfl.datasets.described.people import groups_of, numbered
from medfl.datasets.described.renames import about_unused
from medfl.datasets.described.schema import Description, check_name
from medfl.datasets.described.shown import check_attributes, refuse_patients
from medfl.datasets.described.together import together_note, together_of
from medfl.datasets.described.whose import (
    about_patients,
    about_sites,
    settle_patients,
)
from medfl.datasets.official import settle_folds
from medfl.errors import MedflError, own_code
from medfl.files.exclusions import Exclusion
from medfl.identity import Pseudonyms, load_key
from medfl.imaging.codes import dicom_code
from medfl.imaging.modality import preprocess_for
from medfl.store import Sample
from medfl.store.raw import RawData


@dataclass(frozen=True, kw_only=True)
class CustomEntry(Dataset):
    """A dataset that a class of one's own reads.

    Attributes:
        custom: the dataset.
        description: hash of the class's sources, and of the YAML file that names it, if any.
        patient, site: what class or file say of patients and sites.
    """

    custom: CustomMedicalDataset
    description: str
    patient: PatientRules
    site: SiteRules

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Run ``load_data``, and say how its images are decoded."""
        self.custom.data_root = places.data_root
        loaded = load_samples(self.custom)
        name = type(self.custom).__name__
        told = told_by(loaded, self.patient, self.site)
        whose = settle_patients(told, self.patient, f"{name}.patient_rules")
        excluded = [
            Exclusion(f"sample {row} of load_data", reason, public=True)
            for row, reason in whose.left.items()
        ]
        numbers, whose = whose.kept, whose.without_left()
        given, told = [loaded[number] for number in numbers], [told[number] for number in numbers]
        modalities = _modalities(given, name)
        labels = [
            _labels(one, self.task, f"{name}.load_data, sample {i}")
            for i, one in zip(numbers, given, strict=True)
        ]
        classes = classes_of(labels, self.custom.classes, self.task, f"{name}.classes")
        warnings: list[str] = []
        pseudonyms = Pseudonyms(load_key(places.work_root), self.name)
        own_ids = [str(one.id) or f"\0{number}" for number, one in zip(numbers, given, strict=True)]
        ids = numbered(own_ids, pseudonyms.sample)
        patients = [one.patient for one in told]
        groups = groups_of(whose.names, ids, pseudonyms, warnings)
        warnings += [*whose.warnings, *about_patients(whose, groups), *about_share(whose.names)]
        attributes = [{str(k): str(v) for k, v in one.attributes.items()} for one in given]
        warnings += check_attributes(attributes, patients, f"{name}.load_data, attributes")
        refuse_patients("labels", labels, patients, f"{name}.load_data")
        refuse_patients("site", [(one.site,) for one in told], patients, f"{name}.load_data")
        sources = [
            self._source(one, modalities, number)
            for number, one in zip(numbers, given, strict=True)
        ]
        sites = [one.site for one in told]
        warnings += about_spellings("labels", classes, "write them alike in load_data")
        warnings += about_sites(sites)
        stated = {str(one.site).strip() for one in loaded}
        warnings += about_unused(f"{name}.site_rules.map", self.site.rename, stated, sites)
        code = dicom_code(self.custom.modality)
        samples = [
            Sample(
                ident,
                names,
                group,
                site,
                code,
                official_fold(str(one.fold), f"{name}.load_data, sample {number}"),
                columns,
            )
            for number, ident, names, group, site, columns, one in zip(
                numbers, ids, labels, groups, sites, attributes, given, strict=True
            )
        ]
        samples, more = settle_folds(samples, f"the folds of {name}")
        warnings += more
        info: dict[str, Any] = {"classes": classes, "modality": code}
        if whose.undecided:
            info["undecided_patients"] = whose.undecided
        settings: dict[str, Any] = {"description": self.description, "size": size}
        reader, notes = None, ""
        if self.custom.preprocess is not None:
            preset = preprocess_for(
                self.custom.modality, dict(self.custom.preprocess), f"{name}.preprocess"
            )
            together = together_of(self.custom.frames, self.custom.fusion)
            presets = (preset,) * len(modalities)
            reader = Reader(presets, size, modalities=modalities, together=together)
            notes = together_note(together, modalities)
            settings["preprocess"] = preset.model_dump(mode="json")
            info["channels"] = channel_names(reader.settings, modalities)
            if self.custom.fusion == "late" and len(modalities) > 1:
                info["branches"] = (preset.channel_count,) * len(modalities)
        return RawData(
            samples,
            sources,
            Open(reader, size),
            self._fingerprint(sources),
            notes=notes,
            excluded=excluded,
            warnings=warnings,
            settings=settings,
            info=info,
        )

    def description_sha(self, places: Places) -> str:
        """Hash the class's sources, and the description that names it."""
        return self.description

    def create_federated_splits(
        self, store: Any, num_clients: int | None, partition: str, seed: int
    ) -> Any:
        """Let the class split in its own way; None where it has none."""
        with own_code(f"{type(self.custom).__name__}.create_federated_splits failed"):
            return self.custom.create_federated_splits(store, num_clients, partition, seed)

    def _source(self, one: CustomSample, modalities: tuple[str, ...], number: int) -> Any:
        where = f"{type(self.custom).__name__}, image of sample {number}"
        if isinstance(one.image, Mapping):
            return tuple(self._part(one.image[name], where, number) for name in modalities)
        return self._part(one.image, where, number)

    def _part(self, image: Any, where: str, number: int) -> Any:
        if isinstance(image, str | os.PathLike):
            path = Path(image)
            return path if path.is_absolute() else self.custom.data_root / path
        if callable(image):
            return CallSource(image, number, where)
        if not isinstance(image, np.ndarray):
            raise MedflError(
                f"{where} is of type {type(image).__name__}: give a path, an array, or a function "
                "that returns an array."
            )
        content = np.ascontiguousarray(image)
        return ArraySource(content, hashlib.sha256(content.tobytes()).hexdigest())

    def _fingerprint(self, sources: list[Any]) -> str:
        digest = hashlib.sha256(self.description.encode())
        for source in sources:
            parts = source if isinstance(source, tuple) else (source,)
            digest.update(
                "".join(repr(part) for part in parts if isinstance(part, ArraySource)).encode()
            )
        return digest.hexdigest()


def _modalities(given: list[CustomSample], name: str) -> tuple[str, ...]:
    """Give the names of a sample's images, which must be the same for all samples."""
    kinds = Counter(tuple(one.image) if isinstance(one.image, Mapping) else ("",) for one in given)
    if len({tuple(sorted(kind)) for kind in kinds}) > 1:
        both = " and ".join(str(list(kind)) for kind in list(kinds)[:2])
        raise MedflError(f"{name}.load_data gives samples of several modalities: {both}.")
    return next(iter(kinds))


def _labels(one: CustomSample, task: str, where: str) -> tuple[str, ...]:
    one_only = isinstance(one.label, str | int | np.integer)
    if not one_only and not isinstance(one.label, Iterable):
        kind = type(one.label).__name__
        raise MedflError(f"{where} has a label of type {kind}: give a text or a whole number.")
    names = (str(one.label),) if one_only else tuple(map(str, one.label))  # type: ignore[arg-type]
    if task == "multiclass" and len(names) != 1:
        raise MedflError(f'{where} has {len(names)} labels; say `task = "multilabel"`.')
    return tuple(filter(None, names))


def custom_entry(
    custom: CustomMedicalDataset,
    name: str = "",
    data: Description | None = None,
    description: str = "",
) -> CustomEntry:
    """Make the entry of a class; a description that names it goes before what the class says."""
    kind = type(custom).__name__
    name = name or class_name(custom)
    try:
        check_name(name)
    except ValueError as error:
        raise MedflError(f"{kind}.name: {error}.") from error
    if data is not None:
        if data.modality:
            custom.modality = data.modality
        if data.preprocess:
            custom.preprocess = {**(custom.preprocess or {}), **data.preprocess}
        if "size" in data.model_fields_set:
            custom.size = data.size
    if custom.task not in ("multiclass", "multilabel"):
        hint = did_you_mean(str(custom.task), ["multiclass", "multilabel"])
        raise MedflError(f"{kind}.task: unknown task `{custom.task}`{hint}")
    if custom.frames not in ("stated", "ignore"):
        hint = did_you_mean(str(custom.frames), ["stated", "ignore"])
        raise MedflError(f"{kind}.frames: unknown word `{custom.frames}`{hint}")
    if custom.preprocess is not None:
        preprocess_for(custom.modality, dict(custom.preprocess), f"{kind}.preprocess")
    given = data or Description(folder=".")
    own = given.model_fields_set
    return CustomEntry(
        name=name,
        title=given.title or custom.title or name,
        classes=tuple(map(str, custom.classes)),
        modality=custom.modality,
        citation=given.citation if "citation" in given.model_fields_set else custom.citation,
        licence=given.licence if "licence" in given.model_fields_set else custom.licence,
        where=f"read by the class {kind}.",
        default_size=custom.size,
        task=custom.task,
        complete=False,
        custom=custom,
        patient=given.patient
        if own & {"patient"}
        else rules_of(PatientRules, custom, "patient_rules"),
        site=given.site if own & {"site"} else rules_of(SiteRules, custom, "site_rules"),
        description=hashlib.sha256(f"{custom.fingerprint()}{description}".encode()).hexdigest(),
    )
