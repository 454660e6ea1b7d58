"""Series of DICOM slices and NIfTI files of one's own, several modalities per sample."""

from __future__ import annotations

import json
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from medfl.cli import main
from medfl.store import Store
from tests.dicom_series import write_slice

nibabel = pytest.importorskip("nibabel")


def series(folder: str, value: float, count: int = 4, **attributes: object) -> None:
    """Slices of one value, 8 × 8 pixels of 1 mm, 2 mm apart: of four, an 8 mm cube."""
    Path(folder).mkdir(parents=True)
    for number in range(count):
        write_slice(
            Path(folder, f"IM{number}.dcm"),
            (0.0, 0.0, 2.0 * number),
            spacing=(1.0, 1.0),
            values=np.full((8, 8), value),
            series=f"1.2.{crc32(folder.encode())}",
            **attributes,
        )


def nifti(path: str, value: float) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    volume = np.full((8, 8, 4), value, np.float32)
    volume[0, 0, 0] = 0  # so that the range is known
    volume[1, 0, 0] = 200
    nibabel.save(nibabel.Nifti1Image(volume, affine), path)


def test_series_are_volumes_named_by_their_folders(made):
    series("ct/north/a1", 40, PatientID="A", Modality="CT")
    series("ct/north/a2", -400, PatientID="A", Modality="CT")
    series("ct/south/b1", 240, PatientID="B", Modality="CT")
    write_slice(Path("ct/south/lone.dcm"), (0, 0, 0), series="9.9")
    table = "file,label\nnorth/a1,sick\na2,well\nsouth/b1,sick\n"
    text = "folder: ../../ct\nformat: dicom-series\ntable: labels.csv\nsize: 8\n"
    store = made(text + "site: {level: 1}\npreprocess: {windows: [[40, 400]]}", table)
    assert store.images.shape == (3, 1, 8, 8, 8)
    # The window from -160 to 240 (less half a unit, PS3.3 C.11.2.1.2): its centre is grey.
    assert store.images[:, 0, 4, 4, 4].tolist() == [pytest.approx(128, abs=1), 0, 255]
    assert store.sites.tolist() == ["north", "north", "south"]
    assert store.groups[0] == store.groups[1] != store.groups[2]
    assert store.info.modality == "CT"
    assert [store.info.classes[k] for k in store.labels] == ["sick", "well", "sick"]
    record = json.loads((store.path / "prepare.json").read_text())
    assert [one["reason"] for one in record["excluded_files"]] == [
        "a single slice; a volume has at least two"
    ]
    assert record["scan"]["files"] == 13
    assert store.info.spacing == (1.0, 1.0, 1.0)  # cubes of 8 mm in 8 voxels


def test_slices_are_read_once_for_planning_and_once_for_pixels(made, monkeypatch):
    from medfl.imaging.dicom import header

    series("ct/a", 40, PatientID="A", StudyDescription="sick")
    series("ct/b", 60, PatientID="B", StudyDescription="well")
    whole = header.parse_header

    def counted(file, path, pixels=False):
        with Path("parsed").open("a") as lines:  # by whatever process
            lines.write(f"{path.parent.name}/{path.name} {pixels}\n")
        return whole(file, path, pixels)

    monkeypatch.setattr(header, "parse_header", counted)
    monkeypatch.setattr("medfl.imaging.dicom.scan.parse_header", counted)
    made("folder: ../../ct\nformat: dicom-series\nsize: 8\nlabels: {attribute: StudyDescription}")
    files = [f"{a}/IM{k}.dcm" for a in "ab" for k in range(4)]
    assert sorted(Path("parsed").read_text().splitlines()) == sorted(
        f"{file} {pixels}" for file in files for pixels in (True, False)
    )


def test_copies_and_odd_slices_of_series_are_listed(made):
    series("ct/a", 40, PatientID="PA1", StudyDescription="sick", PatientName="Eva^Rumpelstilz")
    series("ct/b", 60, PatientID="PB1", StudyDescription="well", PatientName="Ida^Dornroes")
    Path("ct/copy").mkdir()
    Path("ct/copy/one.dcm").write_bytes(Path("ct/a/IM1.dcm").read_bytes())
    Path("ct/b/broken.dcm").write_bytes(Path("ct/b/IM1.dcm").read_bytes()[:-9])
    text = "folder: ../../ct\nformat: dicom-series\nlabels: {attribute: StudyDescription}\n"
    store = made(text + "size: 16\n")
    left = json.loads((store.path / "prepare.json").read_text())["excluded_files"]
    assert {one["file"]: one["reason"].split(":")[0] for one in left} == {
        "copy/one.dcm": "is the same image as another file (equal SOPInstanceUID and pixels)",
        "b/broken.dcm": "is truncated",
    }
    assert store.info.spacing == (0.5, 0.5, 0.5)
    assert made(text + "size: 16\npreprocess: {fit: stretch}").info.spacing == ()


def test_a_folder_of_nifti_alone_is_volumes_without_a_word(made):
    for number in range(2):
        nifti(f"mr/{'ab'[number]}/{number}.nii.gz", 100)
    store = made("folder: ../../mr\nsize: 8")
    assert store.images.shape == (2, 3, 8, 8, 8)
    assert store.info.spacing == (1.0, 1.0, 1.0)
    wide = np.full((16, 8, 4), 100, np.float32)
    nibabel.save(nibabel.Nifti1Image(wide, np.diag([1.0, 1.0, 2.0, 1.0])), "mr/a/9.nii")
    assert made("folder: ../../mr\nsize: 8\ntitle: two sizes").info.spacing == ()


def test_three_modalities_of_nifti_from_description_to_run(made, capsys):
    for number in range(24):
        for name in ("t1", "flair"):
            nifti(f"mr/sub{number:02d}/{name}.nii.gz", 20.0 * (number % 2) + 100)
    text = """
folder: ../../mr
table: labels.csv
size: 8
preprocess: {intensity: percentile, percentiles: [0, 100]}
modality: mri
modalities: {t1: '{id}/t1.nii.gz', flair: '{id}/flair.nii.gz'}
fusion: late
"""
    rows = [f"sub{number:02d},{'ab'[number % 2]},s{number % 2}" for number in range(24)]
    store = made(text, "\n".join(["id,label,site", *rows]))
    assert store.images.shape == (24, 2, 8, 8, 8)
    assert store.info.branches == (1, 1)
    assert store.info.channels == ("t1", "flair")
    # 100 and 120 of 0 to 200.
    assert sorted(set(store.images[:, :, 4, 4, 4].ravel().tolist())) == [128, 153]
    run = "dataset: mine\npartition: iid\nmodel: {name: cnn}\nfederated_learning:\n"
    Path("run.yaml").write_text(run + "  {rounds: 1, num_clients: 2, local_steps: 1}\n")
    assert main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 0
    assert "test balanced accuracy" in capsys.readouterr().out
    assert Store.open(store.path).info.branches == (1, 1)


def test_patient_none_keeps_every_sample_as_a_patient_of_its_own(made):
    """Also where the header names one: a phantom's scans are all of one `patient`."""
    series("scans/a/one", 40, PatientID="QA", Modality="CT")
    series("scans/b/two", 240, PatientID="QA", Modality="CT")
    store = made("folder: ../../scans\nformat: dicom-series\nsize: 8\npatient: none\n")
    assert len(store) == 2
    assert store.groups[0] != store.groups[1]
    record = json.loads((store.path / "prepare.json").read_text())
    assert "NO PATIENTS" in record["warnings"][0]


def test_a_missing_slice_is_said(made, capsys):
    series("ct/a", 40, PatientID="A", StudyDescription="sick")
    series("ct/b", 60, PatientID="B", StudyDescription="well", count=8)
    Path("ct/b/IM5.dcm").unlink()
    text = "folder: ../../ct\nformat: dicom-series\nlabels: {attribute: StudyDescription}\nsize: 8"
    store = made(text)
    assert len(store) == 2
    remarks = json.loads((store.path / "prepare.json").read_text())["remarks"]
    (said,) = remarks.values()
    assert said[0].startswith("1 slice")
    assert f"1 images were read with remarks ({next(iter(remarks))}: " in capsys.readouterr().err
