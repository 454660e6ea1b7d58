"""What a person's own class says of patients and sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from medfl.config import validate
from medfl.datasets.described.custom import CustomMedicalDataset, CustomSample
from medfl.datasets.described.fact_sections import Origin, PatientRules, SiteRules
from medfl.datasets.described.whose import Told, known_patient, known_site, one_spelling
from medfl.errors import MedflError

Rules = TypeVar("Rules", PatientRules, SiteRules)


def rules_of(kind: type[Rules], custom: CustomMedicalDataset, name: str) -> Rules:
    """Read what a class says of patients or sites: all but where they stand.

    Args:
        kind: what it says.
        custom: the class.
        name: of its attribute.

    Raises:
        MedflError: that is no dictionary of such keys.
    """
    given, where = getattr(custom, name), f"{type(custom).__name__}.{name}"
    if not isinstance(given, Mapping):
        raise MedflError(f"{where} must be a dictionary, such as {{'normalise': True}}.")
    rules = validate(kind, dict(given), where)
    if odd := rules.model_fields_set & set(Origin.model_fields):
        raise MedflError(f"{where}: load_data says where they stand: leave `{min(odd)}` out.")
    return rules


def told_by(loaded: Sequence[CustomSample], patient: PatientRules, site: SiteRules) -> list[Told]:
    """What each sample tells of its patient, without words that mean that nobody knows."""
    sites = one_spelling([known_site(str(one.site).strip(), site) for one in loaded], site)
    patients = [known_patient(str(one.patient).strip(), patient) for one in loaded]
    return [Told(*pair) for pair in zip(patients, sites, strict=True)]
