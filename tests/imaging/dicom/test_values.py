"""A value counts only where it is of its kind: a damaged length swallows what follows."""

import struct
from pathlib import Path

import numpy as np
import pytest
from dicoms import dataset, write
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from medfl.errors import MedflError, Reason
from medfl.identity.attributes import can_identify
from medfl.imaging.dicom import attribute, attribute_tag, scan_tree
from medfl.imaging.dicom.values import kind

PIXELS = np.zeros((4, 4), np.uint8)
NAME = 0x00100010


def raw(header, tag, vr, value):
    header._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    return header


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00080080, "LO", b"Clinic\x08\x00\x81\x00ST"),
        (0x00080080, "LO", b"x" * 66),
        (0x00080080, "PN", b"Doe^Jane"),  # the tag is damaged: this was PatientName
        (0x00080060, "CS", b"Doe^Jane"),
        (0x00080060, "CS", b"ALL OF SEVENTEEN LETTERS"),
        (0x00080016, "UI", b"1.2.Doe"),
        (0x00080016, "UI", b"1." * 33),
        (0x00080020, "DA", b"Doe 1970"),
        (0x00101010, "AS", b"Doe"),
        (0x00101030, "DS", b"70 Doe"),
        (0x00280008, "IS", b"1.5.2"),
    ],
)
def test_values_of_another_kind_are_not_believed(tag, vr, value):
    header = raw(dataset(PIXELS), tag, vr, value + b" " * (len(value) % 2))
    with pytest.raises((Reason, ValueError)) as error:
        attribute(header, f"{tag:08x}")
    if isinstance(error.value, Reason):
        assert "Doe" not in str(error.value)


@pytest.mark.parametrize(
    ("keyword", "value", "text"),
    [
        ("InstitutionName", "Charit\u00e9 ", "Charit\u00e9"),
        ("StationName", "CT-07, second floor", "CT-07, second floor"),
        ("BodyPartExamined", "Knee", "Knee"),
        ("PatientAge", "045Y", "045Y"),
        ("PatientWeight", "70.5", "70.5"),
        ("ImageType", ["ORIGINAL", "PRIMARY"], "ORIGINAL\\PRIMARY"),
        ("Rows", 4, "4"),
        ("PatientSex", "", ""),
    ],
)
def test_sound_values_are(keyword, value, text):
    header = dataset(PIXELS, **{keyword: value})
    header.SpecificCharacterSet = "ISO_IR 192"
    assert attribute(header, keyword) == text


SPELLINGS = ["PatientName", "patientname", "00100010", "(0010,0010)", "0010,0010", "0010 0010"]
SPELLINGS += ["0x00100010", "(0x0010,0x0010)", "(0010, 0010)", "0010:0010", "0010-0010"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_an_attribute_is_known_by_every_spelling(name):
    assert attribute_tag(name) == NAME


def test_small_hexadecimal_letters_and_unknown_names():
    assert attribute_tag("0018,106a") == attribute_tag("(0018,106A)") == 0x0018106A
    with pytest.raises(MedflError, match="did you mean `PatientName`"):
        attribute_tag("PatientNam")
    with pytest.raises(MedflError, match="give a keyword such as"):
        attribute_tag("site")


@pytest.mark.parametrize(
    "tag",
    [
        *(0x00100010, 0x00100020, 0x00100030, 0x00104000, 0x00101040, 0x00102154, 0x00080050),
        *(0x00080090, 0x00081070, 0x00200010, 0x00400275, 0x00290010, 0x00291010, 0x00080081),
        *(0x00080018, 0x0020000D, 0x00080020, 0x00321032, 0x00402017, 0x00380010, 0x00204000),
        0x00990001,
    ],
)
def test_attributes_that_can_identify_a_person(tag):
    assert can_identify(tag)


@pytest.mark.parametrize(
    "keyword",
    [
        *("InstitutionName", "StationName", "ManufacturerModelName", "StudyDescription"),
        *("PatientSex", "PatientAge", "PatientPosition", "PatientOrientation", "ViewPosition"),
        *("DeviceSerialNumber", "BodyPartExamined", "ProtocolName", "KVP", "PatientWeight"),
    ],
)
def test_attributes_that_tell_sites_and_findings(keyword):
    assert not can_identify(attribute_tag(keyword))


def swallow(path: Path, first: int, last: int, explicit: bool) -> None:
    """Let the element ``first`` reach as far as the beginning of ``last``."""
    data = bytearray(path.read_bytes())
    start, end = (
        data.find(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 132) for tag in (first, last)
    )
    where, kind = (start + 6, "<H") if explicit else (start + 4, "<L")
    struct.pack_into(kind, data, where, end - start - 8)
    path.write_bytes(data)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize(
    ("first", "name"),
    [
        (0x00080060, "Modality"),
        (0x00080080, "InstitutionName"),
        (0x00081030, "StudyDescription"),
        (0x00080016, "SOPClassUID"),
    ],
)
def test_a_length_that_swallows_names_is_found_and_the_names_are_hidden(
    tmp_path, syntax, first, name
):
    values = {
        "Modality": "CT",
        "InstitutionName": "Clinic",
        "StudyDescription": "knee",
        "PatientName": "Li^Na",
        "PatientID": "ZZID99",
        "ReferringPhysicianName": "Huber^Anna",
    }
    path = write(tmp_path / "a.dcm", PIXELS, syntax=syntax, **values)
    swallow(path, first, 0x00280002, syntax == "explicit")
    tree = scan_tree(tmp_path, ["InstitutionName"])
    reason = f"the length of its {name} is wrong, and takes in others"
    assert [one.reason for one in tree.left_out] == [f"is a damaged DICOM file: {reason}"]
    assert all(map(tree.identifiers.in_text, ("zzid99.txt", "li")))


def test_an_object_of_an_unknown_class_is_not_quoted():
    assert kind(dataset(PIXELS, SOPClassUID="1.2.3.4711")) == "an unknown SOP class"
    assert kind(dataset(PIXELS, SOPClassUID=uid.CTImageStorage)) == "CT Image Storage"
