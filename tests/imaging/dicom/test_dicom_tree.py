"""A tree with everything that hospitals' exports hold; planted identifiers must not come out."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicoms import dataset, write
from pydicom import uid
from pydicom.data import get_testdata_file

from medfl.errors import MedflError
from medfl.files.parallel import map_ordered
from medfl.identity import FileNames, Pseudonyms
from medfl.imaging.dicom import DicomError, DicomPreprocessor, scan_tree
from medfl.imaging.dicom.twins import find_twins

NAMES = Pseudonyms(bytes(range(32)), "tree")
PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)
PERSON = {
    "PatientName": "Testarossa^Ludmilla",
    "PatientID": "MRN00471193",
    "PatientBirthDate": "19580617",
    "AccessionNumber": "ACC77120",
    "StudyInstanceUID": "1.2.840.4711.1",
    "SeriesInstanceUID": "1.2.840.4711.2",
    "InstitutionName": "Klinikum Hohenfels",
    "Modality": "CT",
}
SECRETS = ["testarossa", "ludmilla", "00471193", "471193", "19580617", "1958-06-17", "77120"]
SECRETS += ["4711", "hohenfels", "17.06.1958"]


def image(path, number, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, PIXELS, SOPInstanceUID=f"1.2.840.4711.3.{number}", **(PERSON | values))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    image(root / "Testarossa Ludmilla" / "1958-06-17" / "IM1", 1)
    image(root / "b [x] é" / "no suffix", 2)
    image(root / "b [x] é" / "acc77120.dcm", 3, Modality="LUDMILLA")
    image(root / "c" / "copy.dcm", 1)
    image(root / "c" / "us.dcm", 4, Modality="US")
    other = {**PERSON, "SOPInstanceUID": "1.2.840.4711.3.2"}
    write(root / "c" / "other pixels.dcm", PIXELS.T, **other)
    cut = image(root / "d" / "cut.dcm", 5)
    cut.write_bytes(cut.read_bytes()[:-50])
    packed = dataset(PIXELS, SOPInstanceUID="1.2.840.4711.3.6", **PERSON)
    packed.compress(uid.RLELossless)
    packed.save_as(root / "d" / "packed.dcm")
    whole = (root / "d" / "packed.dcm").read_bytes()
    (root / "d" / "packed-cut.dcm").write_bytes(whole[:-30])
    head = (root / "d" / "cut.dcm").read_bytes()
    (root / "d" / "head.dcm").write_bytes(head[: len(head) - 78 - 12])
    (root / "d" / "notes 17.06.1958.txt").write_text("Testarossa, Ludmilla")
    (root / "d" / "empty.dcm").write_bytes(b"")
    (root / ".DS_Store").write_bytes(b"x")
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to(root)
    (root / "d" / "self").symlink_to(root / "d" / "self")
    (root / "nothing").symlink_to(root / "absent")
    for name in ("reportsi.dcm", "rtstruct.dcm"):
        shutil.copy(get_testdata_file(name, download=False), root / "d" / name)
    shutil.copy(get_testdata_file("DICOMDIR", download=False), root / "DICOMDIR")
    return root


def test_everything_is_found_or_listed(root):
    tree = scan_tree(
        root, ["PatientSex", "(0008,0080)"], also=lambda header, path: (header.Rows, path.name)
    )
    day = root / "Testarossa Ludmilla" / "1958-06-17" / "IM1"
    assert [path.relative_to(root).as_posix() for path in tree.headers] == [
        "Testarossa Ludmilla/1958-06-17/IM1",
        "b [x] é/acc77120.dcm",
        "b [x] é/no suffix",
        "c/copy.dcm",
        "c/other pixels.dcm",
        "c/us.dcm",
        "d/packed.dcm",
    ]
    assert tree.copies == {root / "c" / "copy.dcm": day}
    found = tree.headers[day]
    assert found.attributes == {"PatientSex": "", "(0008,0080)": "Klinikum Hohenfels"}
    assert found.also == (8, "IM1")
    assert (found.series, found.patient) == ("1.2.840.4711.2", "MRN00471193")
    assert (found.modality, found.rows, found.bits, found.frames) == ("CT", 8, 16, 1)
    assert tree.headers[root / "b [x] é" / "acc77120.dcm"].modality == ""  # no code: a name
    assert [path.name for path in tree.others] == ["notes 17.06.1958.txt"]
    assert tree.scanned == 7 + 1 + 7  # neither hidden files, links and pipes
    reasons = {Path(one.file).relative_to(root).as_posix(): one.reason for one in tree.left_out}
    expected = {
        ".DS_Store": "is a hidden file",
        "DICOMDIR": "is the directory of a medium",
        "d/cut.dcm": "is truncated: its pixel data are cut off",
        "d/empty.dcm": "is not a DICOM file",
        "d/head.dcm": "truncated before",
        "d/packed-cut.dcm": "is truncated: its compressed pixel data",
        "d/reportsi.dcm": "holds no image (Basic",
        "d/rtstruct.dcm": "holds no image (RT Structure Set Storage)",
        "d/self": "cannot be read",
        "loop": "is a link to a folder that is read elsewhere",
        "nothing": "is a link to nothing",
        "pipe": "is no ordinary file",
    }
    assert reasons.keys() == expected.keys()
    for file, reason in expected.items():
        assert reason in reasons[file], file
    assert tree.warnings[0].startswith("1 images: an ultrasound image does not say")
    assert tree.warnings[1].startswith("1 images have the SOPInstanceUID of another but other")


def test_no_identifier_is_in_what_may_be_written(root):
    tree = scan_tree(root)
    names = FileNames(NAMES, tree.identifiers, "compare")
    paths = [*tree.headers, *tree.others, *(Path(one.file) for one in tree.left_out)]
    shown = [names(path.relative_to(root).as_posix()) for path in paths]
    written = (repr(tree) + repr(shown) + repr([one.reason for one in tree.left_out])).lower()
    assert not [secret for secret in SECRETS if secret in written]
    assert {"c/other pixels.dcm", "d/packed-cut.dcm", "b [x] é/no suffix"} <= set(shown)
    assert f"d/{NAMES.file('notes 17.06.1958.txt')}" in shown


def test_copies_are_told_by_pixels_and_not_by_uid_alone(tmp_path):
    pixels = [np.full((4, 4), value, np.uint8) for value in (1, 2, 1, 2, 3)]
    paths = [write(tmp_path / f"{n}.dcm", one) for n, one in enumerate(pixels)]
    lone = write(tmp_path / "lone.dcm", pixels[0], SOPInstanceUID="1.9")
    uids = dict.fromkeys(paths, "1.2.3") | {lone: "1.9"}
    twins = find_twins(uids)
    assert twins.copies == {paths[2]: paths[0], paths[3]: paths[1]}
    assert twins.different == 2  # 2 and 3 differ from 1
    assert find_twins(dict.fromkeys(paths, "")).copies == {}


def test_many_files_are_decoded_in_order(tmp_path):
    paths = [write(tmp_path / f"{n}.dcm", np.full((4, 4), n, np.uint8)) for n in range(30)]
    paths.append(tmp_path / "none.dcm")
    images = map_ordered(DicomPreprocessor(4), paths, "decoding", workers=2)
    assert [int(next(images)[0, 0, 0]) for _ in range(30)] == list(range(30))
    with pytest.raises(DicomError, match=r"none\.dcm does not exist"):
        next(images)


def test_an_error_comes_after_the_results_before_it():
    results = map_ordered(int, ["1", "2", "x", "4"], "counting", workers=2)
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="'x'"):
        next(results)


def test_bad_requests(tmp_path):
    with pytest.raises(MedflError, match="is no folder"):
        scan_tree(tmp_path / "none")
    with pytest.raises(MedflError, match="did you mean `PatientSex`"):
        scan_tree(tmp_path, ["PatientSx"])


def test_real_series_and_radiographs(real_data):
    folder = real_data / "dicom"
    if not folder.is_dir():
        pytest.skip("no dicom/ under the test data")
    tree = scan_tree(folder, workers=1)
    assert len(tree.headers) == sum(1 for _ in folder.rglob("*.dcm"))
    assert len(tree.copies) == 3  # of the six radiographs, three are copies with other headers
    kept = [header for path, header in tree.headers.items() if path not in tree.copies]
    assert {header.modality for header in kept} >= {"MR", "DX"}
    assert len({header.series for header in kept if header.modality == "MR"}) >= 2
