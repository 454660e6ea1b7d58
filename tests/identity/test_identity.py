"""Planted names, numbers and dates must not come out; keys are made once and kept from others."""

import hashlib
import hmac
import io
import re
import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from dicoms import dataset
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medfl.errors import MedflError
from medfl.identity import (
    FileNames,
    Identifiers,
    Pseudonyms,
    burnt_in_summary,
    burnt_in_warning,
    find_original,
    identifiers_in,
    load_key,
    of_patients,
    safe_path,
    show_originals,
)

KEY = bytes(range(32))
NAMES = Pseudonyms(KEY, "chest")


@pytest.fixture
def identifiers():
    request = Dataset()
    request.RequestedProcedureID = "RP-55-01"
    request.RequestingPhysician = "Weiss^Anna"
    header = dataset(
        np.zeros((2, 2), np.uint8),
        PatientName="Müller^José Doe",
        PatientID="00AB-4711",
        OtherPatientIDs=["X99Z", "7"],
        AccessionNumber="ACC 0815",
        ReferringPhysicianName="O'Neill^Siobhán",
        StudyID="12",
        PatientBirthDate="19700203",
        InstitutionName="Charité",
        RequestAttributesSequence=Sequence([request]),
        SOPInstanceUID="1.2.840.99.1.7",
    )
    header.SpecificCharacterSet = "ISO_IR 192"
    return identifiers_in(header)


def test_pseudonyms_are_hmac_sha256_per_dataset_and_kind():
    message = b"".join(
        len(part).to_bytes(8, "big") + part for part in (b"chest", b"p", b"Doe^John")
    )
    expected = hmac.new(KEY, message, hashlib.sha256).hexdigest()[:16]
    assert NAMES.patient("Doe^John") == f"p-{expected}"
    assert NAMES.sample("Doe^John") != NAMES.patient("Doe^John").replace("p-", "s-")
    assert Pseudonyms(KEY, "brain").patient("Doe^John") != NAMES.patient("Doe^John")
    assert Pseudonyms(KEY[::-1], "chest").patient("Doe^John") != NAMES.patient("Doe^John")
    assert re.fullmatch(r"f-[0-9a-f]{16}", NAMES.file("ü\udcff"))  # undecodable names too
    assert KEY.hex() not in repr(NAMES)
    with pytest.raises(MedflError, match="at least 16"):
        Pseudonyms(b"short", "chest")


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("MEDFL_KEY", raising=False)
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(load_key, [tmp_path] * 64))
    assert len(keys) == 1
    path = tmp_path / "private" / "pseudonym.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["pseudonym.key"]
    assert path.read_text().strip() == keys.pop().hex()
    assert load_key(tmp_path / "other") != load_key(tmp_path)
    path.chmod(0o644)
    with pytest.raises(MedflError, match="chmod 600"):
        load_key(tmp_path)


def test_a_key_from_the_environment_and_wrong_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDFL_KEY", KEY.hex())
    assert load_key(tmp_path) == KEY
    assert not (tmp_path / "private").exists()
    for wrong, reason in (
        ("abc123", "too short"),
        ("secret " * 8, "not an even number of hexadecimal"),
        ("0" * 64, "not random"),
    ):
        monkeypatch.setenv("MEDFL_KEY", wrong)
        with pytest.raises(MedflError, match=reason) as error:
            load_key(tmp_path)
        assert wrong.strip() not in str(error.value)
    monkeypatch.delenv("MEDFL_KEY")
    load_key(tmp_path)
    (tmp_path / "private" / "pseudonym.key").write_text("")
    with pytest.raises(MedflError, match=r"pseudonym\.key is too short"):
        load_key(tmp_path)


HIDDEN = [
    "Müller_thorax.dcm",
    "MUELLER",
    "muller01",
    "doe.dcm",
    "JohnDoe",
    "jose_pa",
    "scan-00AB4711",
    "ab_4711_x",
    "x99z",
    "ACC0815.dcm",
    "acc-08-15",
    "oneill",
    "neill",
    "Siobhan",
    "charite",
    "RP5501",
    "weiss",
    "19700203",
    "1970-02-03.dcm",
    "03.02.1970",
    "02_03_1970",
    "born 3.2.70",
    "03Feb1970",
    "3-Februar-1970",
    "February 3, 1970",
    "700203",
    "20210315_scan",
    "study 123456",
    "1.2.840.99.1.7.dcm",
]
SHOWN = [
    "images",
    "IM-0001.dcm",
    "series 12",
    "T1w_3mm",
    "1.2.840.113619.2.55.3.dcm",
    "Doell",
    "2021",
    "site-3",
    "axial [new] é",
    "scan7",
]


@pytest.mark.parametrize("name", HIDDEN)
def test_components_that_name_a_person_become_pseudonyms(identifiers, name):
    safe = safe_path(f"images/{name}/IM-0001.dcm", identifiers, NAMES)
    assert safe == f"images/{NAMES.file(name)}/IM-0001.dcm"


@pytest.mark.parametrize("name", SHOWN)
def test_other_components_stay(identifiers, name):
    assert safe_path(f"images/{name}", identifiers, NAMES) == f"images/{name}"


PEOPLE_UNKNOWN = Identifiers()
MAY_NAME = ["DOE_JANE_1970.dcm", "doe_jane.dcm", "Doe Jane", "JohnDoe", "doe-1970.txt", "Doe^Jane"]
MAY_NAME += ["WU_YU", "ng-an", "Li^Na", "O_Yu", "LiNa", "WUYU", "Ng", "J. D.", "A-B", "O'Neill"]
MAY_NAME += ["Dr. Huber.txt", "Prof May", "Herr Stein.pdf", "dr.long.txt", "scan.Huber", "Huber"]
MAY_NAME += [
    "Müller",
    "Mu\u0308ller",
    "José",
    "Ångström",
    "Meyer-Weiß",
    "山田",
    "李",
    "Иванов",
    "राम",
]
MAY_NAME += [
    "study 12",
    "Study_417",
    "patient-3",
    "case 7",
    "4711",
    "S4711",
    "acc 123",
    "1.2.3.4.5",
]
MAY_NAME += ["1957-03", "03.1957", "IM0001.huber", "MR.1.2.840.113619.2.55", "Feb 57 Huber"]


@pytest.mark.parametrize("name", MAY_NAME)
def test_parts_built_like_names_are_hidden_though_no_header_has_them(name):
    names = FileNames(NAMES, PEOPLE_UNKNOWN, "compare")
    assert names(f"images/{name}") == f"images/{NAMES.file(name)}"
    assert FileNames(NAMES, PEOPLE_UNKNOWN, "show")(f"images/{name}") == f"images/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "broken.dcm",
        "notes.txt",
        "IM0001",
        "series 2 (copy)",
        "left lung 2021",
        "T1w_3mm",
        "b [x] é",
    ],
)
def test_words_are_shown_where_people_are_known(name):
    assert FileNames(NAMES, PEOPLE_UNKNOWN, "compare")(name) == name
    strict = FileNames(NAMES, PEOPLE_UNKNOWN, "hide")
    assert strict(name) == (name if name == "IM0001" else NAMES.file(name))


def of_name(name):
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientName = name
    return identifiers_in(header)


@pytest.mark.parametrize(
    ("patient", "hidden", "shown"),
    [
        ("Ng^An", ["NG", "an", "ng_an", "AnNg.dcm", "x NGAN"], ["angle", "scan 2"]),
        ("Lung^May", ["lung", "May 2", "maylung"], ["left"]),
        ("O^Yu", ["O", "o yu", "YuO.dcm"], ["T1o", "of"]),
        ("Doe^John^A", ["doe", "JOHN"], ["a", "axial a"]),  # an initial is shared by many
        ("Müller-Weiß^Zoë", ["mueller", "WEISS", "zoe", "mullerweiß"], ["zo"]),
        ("Li^Na=李^娜", ["李", "娜娜", "李娜.txt"], ["検査"]),
        ("File^Dicom", ["file 1", "dicom"], ["image"]),
    ],
)
def test_names_are_found_by_whole_words_whatever_their_length(patient, hidden, shown):
    found = of_name(patient)
    assert [text for text in hidden if not found.in_text(text)] == []
    assert [text for text in shown if found.in_text(text)] == []


def test_the_letters_before_numbers_of_patients_are_no_names():
    found = of_patients(["US-0012", "US-0013", "Li Na"])
    assert not found.in_text("us image")
    assert found.in_text("us0012")
    assert found.in_text("li.txt")


def test_parts_that_are_patients_are_hidden():
    names = FileNames(NAMES, of_patients(["A7", "12", "Rose"]), "compare", {"sick"}, {"A7", "12"})
    assert names("sick/IM0012") == "sick/IM0012"
    assert names("a7/12/rose.dcm") == "/".join(map(NAMES.file, ("a7", "12", "rose.dcm")))
    assert names("007") == "007"
    assert FileNames(NAMES, PEOPLE_UNKNOWN, "compare", people={"7"})("P007") == NAMES.file("P007")
    strict = FileNames(NAMES, PEOPLE_UNKNOWN, "hide", people={"12"})
    assert strict("IM0012") == NAMES.file("IM0012")
    assert strict("IM0013") == "IM0013"


def test_dates_spread_over_folders(identifiers):
    shown = safe_path("pacs/2021/03/15/a.dcm", identifiers, NAMES).split("/")
    assert shown[0] == "pacs"
    assert shown[1:4] == [NAMES.file("2021"), NAMES.file("03"), NAMES.file("15")]
    assert safe_path("run/2021/03", identifiers, NAMES) == "run/2021/03"


def test_names_in_other_scripts():
    header = Dataset()
    header.PatientName = "Yamada^Tarou=山田^太郎"
    found = identifiers_in(header)
    assert found.in_text("検査山田様")
    assert found.in_text("yamada")
    assert not found.in_text("検査")


def test_a_million_identifiers_cost_no_more_than_one():
    many = Identifiers(numbers=frozenset(f"{n:05x}q" for n in range(200_000)))
    assert many.in_text("scan 0ffffq")
    assert not any(many.in_text(f"image {n % 90:02d} axial") for n in range(2000))


def test_identifiers_do_not_show_themselves(identifiers):
    assert "muller" not in repr(identifiers)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "burnt into the pixels"),
        ({"RecognizableVisualFeatures": "YES", "BurnedInAnnotation": "NO"}, "a face"),
        ({"Modality": "US"}, "an ultrasound image does not say"),
        ({"SOPClassUID": uid.UltrasoundMultiFrameImageStorage}, "an ultrasound image"),
        ({"SOPClassUID": uid.SecondaryCaptureImageStorage}, "a secondary capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "a screenshot"),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, None),
        ({"Modality": "CT"}, None),
    ],
)
def test_pixels_that_may_name_the_patient(values, reason):
    header = Dataset()
    for key, value in values.items():
        setattr(header, key, value)
    assert (reason in burnt_in_warning(header)) if reason else burnt_in_warning(header) == ""


def test_such_images_are_counted():
    lines = burnt_in_summary(["a", "", "b", "a"])
    assert lines[0].startswith("2 images: a; look at such images")
    assert len(lines) == 2


def test_the_way_back_is_for_a_terminal_only(tmp_path):
    inner = tmp_path / "site" / "Doe John" / "19700203.dcm"
    inner.parent.mkdir(parents=True)
    inner.write_bytes(b"")
    assert find_original(tmp_path, NAMES.file("19700203.dcm"), NAMES) == inner
    path = f"site/{NAMES.file('Doe John')}/{NAMES.file('19700203.dcm')}"
    assert find_original(tmp_path, path, NAMES) == inner
    with pytest.raises(MedflError, match="nothing below"):
        find_original(tmp_path, NAMES.file("19700203.dcm"), Pseudonyms(KEY, "brain"))
    with pytest.raises(MedflError, match="in a terminal only"):
        show_originals(lambda: [inner], io.StringIO())
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    show_originals(lambda: [inner], terminal)
    assert terminal.getvalue() == f"{inner}\n"


def test_the_way_back_leads_through_links_and_to_what_was_left_out(tmp_path):
    there, root = tmp_path / "there", tmp_path / "root"
    there.mkdir()
    root.mkdir()
    (there / "doe.dcm").touch()
    (root / "linked").symlink_to(there)
    (root / ".hidden doe").touch()
    assert find_original(root, NAMES.file("doe.dcm"), NAMES) == root / "linked" / "doe.dcm"
    assert find_original(root, NAMES.file(".hidden doe"), NAMES) == root / ".hidden doe"
    assert find_original(root, NAMES.file("linked"), NAMES) == root / "linked"
    with pytest.raises(MedflError, match="nothing below"):
        find_original(root, f"other/{NAMES.file('doe.dcm')}", NAMES)
    with pytest.raises(MedflError, match="nothing below"):
        find_original(tmp_path / "absent", NAMES.file("doe.dcm"), NAMES)
