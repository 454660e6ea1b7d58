"""Make of a ``CustomMedicalDataset`` an entry beside the catalog's."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medfl.datasets.base import Dataset, Places
from medfl.datasets.described.custom import (
    CustomMedicalDataset,
    CustomSample,
    load_samples,
)
from medfl.datasets.described.custom_facts import ClassFacts, facts_of
from medfl.datasets.described.custom_people import rules_of, told_by
from medfl.datasets.described.custom_samples import labels_of, plain_sample, same_columns
from medfl.datasets.described.custom_sources import ArraySource, CallSource, Open
from medfl.datasets.described.decode import Reader, channel_names
from medfl.datasets.described.doubts import about_share
from medfl.datasets.described.fact_sections import PatientRules, SiteRules
from medfl.datasets.described.folds import official_fold
from medfl.datasets.described.labels import about_spellings, classes_of
from medfl.datasets.described.people import groups_of, numbered
from medfl.datasets.described.renames import about_unused
from medfl.datasets.described.schema import Description
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
from medfl.own_draws import drawing
from medfl.store import Sample
from medfl.store.raw import RawData


@dataclass(frozen=True, kw_only=True)
class CustomEntry(Dataset):
    """A dataset that a class of one's own reads.

    Attributes:
        custom: the dataset.
        facts: what it says of itself.
        description: hash of the class's sources, and of the YAML file that names it, if any.
        patient, site: what class or file say of patients and sites.
    """

    custom: CustomMedicalDataset
    facts: ClassFacts
    description: str
    patient: PatientRules
    site: SiteRules

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Run ``load_data``, and say how its images are decoded."""
        name = type(self.custom).__name__
        with own_code(f"{name}.data_root cannot be set", private=True):
            self.custom.data_root = places.data_root
        loaded = [
            plain_sample(one, f"{name}.load_data, sample {number}")
            for number, one in enumerate(load_samples(self.custom))
        ]
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
            labels_of(one, self.task, f"{name}.load_data, sample {i}")
            for i, one in zip(numbers, given, strict=True)
        ]
        classes = classes_of(labels, self.facts.classes, self.task, f"{name}.classes")
        warnings: list[str] = []
        pseudonyms = Pseudonyms(load_key(places.work_root), self.name)
        own_ids = [str(one.id) or f"\0{number}" for number, one in zip(numbers, given, strict=True)]
        ids = numbered(own_ids, pseudonyms.sample)
        patients = [one.patient for one in told]
        groups = groups_of(whose.names, ids, pseudonyms, warnings)
        warnings += [*whose.warnings, *about_patients(whose, groups), *about_share(whose.names)]
        attributes = same_columns(given)
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
        code = dicom_code(self.facts.modality)
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
        if self.facts.preprocess is not None:
            preset = preprocess_for(
                self.facts.modality, self.facts.preprocess, f"{name}.preprocess"
            )
            together = together_of(self.facts.frames, self.facts.fusion)
            presets = (preset,) * len(modalities)
            reader = Reader(presets, size, modalities=modalities, together=together)
            notes = together_note(together, modalities)
            settings["preprocess"] = preset.model_dump(mode="json")
            info["channels"] = channel_names(reader.settings, modalities)
            if self.facts.fusion == "late" and len(modalities) > 1:
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
        name = type(self.custom).__name__
        with own_code(f"{name}.create_federated_splits failed"), drawing(seed):
            return self.custom.create_federated_splits(
                store.read_only(), num_clients, partition, seed
            )

    def _source(self, one: CustomSample, modalities: tuple[str, ...], number: int) -> Any:
        where = f"{type(self.custom).__name__}, image of sample {number}"
        if isinstance(one.image, Mapping):
            return tuple(self._part(one.image[name], where, number) for name in modalities)
        return self._part(one.image, where, number)

    def _part(self, image: Any, where: str, number: int) -> Any:
        if isinstance(image, str | os.PathLike):
            with own_code(f"{where} is no path", private=True):
                path = Path(image)
            if "\0" in str(path):
                raise MedflError(f"{where} is a path with a NUL: take it out.")
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


def custom_entry(
    custom: CustomMedicalDataset,
    name: str = "",
    data: Description | None = None,
    description: str = "",
) -> CustomEntry:
    """Make the entry of a class; a description that names it goes before what the class says."""
    kind = type(custom).__name__
    facts = facts_of(custom, name, data)
    given = data or Description(folder=".")
    own = given.model_fields_set
    with own_code(f"{kind}.fingerprint failed", private=True):
        fingerprint = f"{custom.fingerprint()}"
    return CustomEntry(
        name=facts.name,
        title=given.title or facts.title or facts.name,
        classes=facts.classes,
        modality=facts.modality,
        citation=given.citation if "citation" in own else facts.citation,
        licence=given.licence if "licence" in own else facts.licence,
        where=f"read by the class {kind}.",
        default_size=facts.size,
        task=facts.task,
        complete=False,
        custom=custom,
        facts=facts,
        patient=given.patient
        if own & {"patient"}
        else rules_of(PatientRules, custom, "patient_rules"),
        site=given.site if own & {"site"} else rules_of(SiteRules, custom, "site_rules"),
        description=hashlib.sha256(f"{fingerprint}{description}".encode()).hexdigest(),
    )
