"""Which attributes of DICOM headers the facts are made of, and which of them name a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.datasets.described.fact_sections import PatientRules
from medfl.datasets.described.schema import Description
from medfl.datasets.described.shown import refuse_personal
from medfl.datasets.described.table import keywords_of
from medfl.datasets.tables import Table
from medfl.identity import identifiers_in

if TYPE_CHECKING:
    from medfl.imaging.dicom import FileHeader

DICOM_SITES = ("InstitutionName", "StationName")
ISSUER = "IssuerOfPatientID"
PERSON = ("PatientName", "PatientID", "AccessionNumber")
ALWAYS = (*PERSON, ISSUER, *DICOM_SITES, "PatientIdentityRemoved", "ImagePositionPatient")


def names_patient(text: str, header: FileHeader) -> bool:
    """Whether free text holds the patient's name or numbers; other people's words are common."""
    from pydicom import Dataset

    person = Dataset()
    for keyword in PERSON:
        setattr(person, keyword, header.attributes[keyword])
    return identifiers_in(person).in_text(text)


def are_of_headers(rules: PatientRules, column: str) -> bool:
    """Whether patients are those of the headers, by the rules and the table's column, if any."""
    own = rules.source == "dicom" or (rules.source == "auto" and not column)
    return own and rules.attribute in ("", "PatientID")


def wanted_of_headers(data: Description, where: str, table: Table | None) -> list[str]:
    """The DICOM attributes that the facts are made of; none that is written may name a person."""
    if data.labels.attribute:
        refuse_personal(data.labels.attribute, f"{where}: labels")
    if data.site.attribute:
        refuse_personal(data.site.attribute, f"{where}: site")
    for name in keywords_of(data, table):
        refuse_personal(name, f"{where}: columns.attributes")
    stated = [data.labels.attribute, data.patient.attribute, data.site.attribute]
    stated += [data.fold.attribute]
    stated += [data.columns.key[0]] if data.columns.key else []
    return list(dict.fromkeys([*ALWAYS, *filter(None, stated), *keywords_of(data, table)]))
