"""Which DICOM attributes can identify a person, by whatever name they are asked for."""

from __future__ import annotations

import re

# Kinds of values (VR) that are names, times, unique identifiers, nested, binary or free text.
_KINDS = {"PN", "DA", "DT", "TM", "UI", "SQ", "UN", "LT", "ST", "UT", "UR", "AT"}
_KINDS |= {"OB", "OD", "OF", "OL", "OV", "OW"}
_PATIENT_GROUP = 0x0010
_HARMLESS = {  # they say of a patient what many share
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientBodyMassIndex",
    "PatientSexNeutered",
    "PatientSpeciesDescription",
    "PatientBreedDescription",
    "EthnicGroup",
    "EthnicGroups",
    "SmokingStatus",
    "PregnancyStatus",
}
_PERSONAL = re.compile(
    r"Patient(?!Position|Orientation|Sex|Age$|Size$|Weight$|BodyMass|Species|Breed)|PersonName|"
    r"Birth|Physician|Accession|Operator|Telephone|Address|UID$|Date$|Time$|OrderNumber|Visit|"
    r"^StudyID$|Admission|ProcedureID$|ProcedureStepID$|MedicalRecord|Insurance|MilitaryRank|"
    r"Comments$|History$|Observer|Person|Requester|Identifier|TrialSubject|Episode|^ReasonFor|"
    r"Phone|Author$|Contact|ProtocolCreator|WelderIDs|BoardingPass|Itinerary|"
    r"^(?:Results|Interpretation|Owner|Carrier)ID"
)


def can_identify(tag: int) -> bool:
    """Whether an attribute can identify a person, or nobody knows what it holds.

    The attributes are those of the basic profile of DICOM PS3.15 Annex E, without those that tell
    hospitals, machines and findings apart. A private or unknown attribute may hold anything, as
    may free text, and what stands in a sequence.
    """
    from pydicom.datadict import dictionary_keyword, dictionary_VR

    if tag >> 16 & 1:
        return True
    try:
        keyword, kinds = dictionary_keyword(tag), dictionary_VR(tag)
    except KeyError:
        return True
    if not _KINDS.isdisjoint(kinds.split(" or ")):
        return True
    if tag >> 16 == _PATIENT_GROUP:
        return keyword not in _HARMLESS
    return _PERSONAL.search(keyword) is not None
