"""What kind of file holds an image, by content before its name."""

from __future__ import annotations

import pytest

from medfl.imaging.kinds import kind_by_ending, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JPG", "image"),
        ("a.b.tiff", "image"),
        ("IM1.IMA", "dicom"),
        ("brain.NII.gz", "nifti"),
        ("x.npy", "npz"),
        ("a.gz", None),
        ("IM0001", None),
        ("notes.txt", None),
    ],
)
def test_by_ending(name, kind):
    assert kind_by_ending(name) == kind


def test_content_goes_before_the_name(tmp_path):
    bytes_of = {
        "prefixed.png": bytes(128) + b"DICM",
        "bare": b"\x08\x00" + bytes(130),
        "short.png": b"\x08\x00",
        "picture.png": b"\x89PNG" + bytes(200),
        "notes.txt": b"x" * 200,
    }
    for name, content in bytes_of.items():
        (tmp_path / name).write_bytes(content)
    found = {name: kind_of(tmp_path / name) for name in bytes_of}
    assert found == {
        "prefixed.png": "dicom",
        "bare": "dicom",
        "short.png": "image",
        "picture.png": "image",
        "notes.txt": None,
    }
    assert kind_of(tmp_path / "absent.nii") == "nifti"
