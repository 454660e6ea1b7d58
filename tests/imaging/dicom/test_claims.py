"""What compressed frames and their files say that they need."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from dicoms import dataset, pillow_bytes, write
from pydicom import dcmread, uid
from pydicom.encaps import encapsulate

from medfl.imaging.dicom import claims
from medfl.imaging.dicom.claims import refuse_claim, refuse_frame
from medfl.imaging.dicom.header import DicomError

GREY = np.arange(37 * 21, dtype=np.uint8).reshape(37, 21)
COLOUR = np.stack([GREY, GREY, GREY], -1)


def progressive() -> bytes:
    return pillow_bytes(COLOUR, "JPEG", progressive=True, comment=b"\xff\xc0 is no marker here")


def jpeg_ls(samples: np.ndarray) -> bytes:
    from pydicom.pixels.encoders import JPEGLSLosslessEncoder

    file = dataset(samples)
    return next(iter(JPEGLSLosslessEncoder.iter_encode(file, encoding_plugin="pyjpegls")))


@pytest.mark.parametrize(
    ("frame", "size"),
    [
        (lambda: pillow_bytes(GREY, "JPEG"), 37 * 21),
        (progressive, 37 * 21 * 3),
        (lambda: pillow_bytes(COLOUR, "JPEG2000", no_jp2=True), 37 * 21 * 3),
        (lambda: pillow_bytes(GREY.astype(np.uint16), "JPEG2000", no_jp2=True), 37 * 21 * 2),
        (lambda: jpeg_ls(GREY), 37 * 21),
        (lambda: jpeg_ls(GREY.astype(np.uint16)), 37 * 21 * 2),
        (lambda: b"\xff\xd8", 0),
        (lambda: b"\xff\xd8\xff\xe0\xff\xff" + bytes(20), 0),
        (lambda: b"\xff\x4f\xff\x51" + bytes(10), 0),
        (lambda: struct.pack("<16L", 1, 64, *[0] * 14), 0),
        (lambda: b"", 0),
    ],
)
def test_bytes_by_the_header_of_a_frame(frame, size):
    assert claims._of_codestream(frame()) == size


def test_bytes_by_the_header_of_the_file():
    """10,000 × 9,000 of 12 bits in 16 and three samples are 540 MB."""
    fields = {"Rows": 10_000, "Columns": 9_000, "SamplesPerPixel": 3}
    header = dataset(GREY.astype(np.uint16), **fields)
    refuse_claim(header, "a.dcm", 2_700_000)
    with pytest.raises(DicomError, match=r"a\.dcm is refused: .* swells 200-fold, to 540 MB"):
        refuse_claim(header, "a.dcm", 2_699_999)


def test_native_pixels_are_as_many_as_they_are(tmp_path):
    path = write(tmp_path / "a.dcm", GREY, Rows=60_000, Columns=60_000)
    refuse_frame(dcmread(path), path, 0)


def test_a_frame_of_several_is_measured_by_itself():
    """81 MB from 1 MB may be, and from 64 bytes not."""
    file = dataset(np.stack([GREY, GREY]), NumberOfFrames=2, Rows=9000, Columns=9000)
    file.file_meta.TransferSyntaxUID = uid.RLELossless
    file.PixelData = encapsulate([bytes(10**6), bytes(64)])
    refuse_frame(file, "a.dcm", 0)
    with pytest.raises(DicomError, match="to 81 MB"):
        refuse_frame(file, "a.dcm", 1)
