"""DICOM files for tests, written by pydicom, GDCM and Pillow: not by what is tested."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate

NATIVE = {
    "implicit": uid.ImplicitVRLittleEndian,
    "explicit": uid.ExplicitVRLittleEndian,
    "big": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
}


def dataset(stored: np.ndarray, syntax: str = "explicit", **values: Any) -> FileDataset:
    """A data set that holds ``stored``: (H, W), (H, W, 3), (F, H, W) with NumberOfFrames given."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = values.get("SOPInstanceUID", "1.2.3")
    meta.TransferSyntaxUID = NATIVE[syntax]
    file = FileDataset(
        "",
        {},
        file_meta=meta,
        preamble=bytes(128),
        is_implicit_VR=syntax == "implicit",
        is_little_endian=syntax != "big",
    )
    stored = np.asarray(stored)
    bits = 8 * stored.dtype.itemsize
    colour = stored.ndim == 3 and stored.shape[-1] == 3 and "NumberOfFrames" not in values
    order = ">" if syntax == "big" else "<"
    rows = stored.ndim - 2 - colour
    fields: dict[str, Any] = {
        "SOPClassUID": uid.CTImageStorage,
        "SOPInstanceUID": "1.2.3",
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "Rows": stored.shape[rows],
        "Columns": stored.shape[rows + 1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PixelData": stored.astype(stored.dtype.newbyteorder(order)).tobytes(),
    }
    if colour:
        fields["PlanarConfiguration"] = 0
    fields |= values
    fields["HighBit"] = fields["BitsStored"] - 1
    for key, value in fields.items():
        if value is not None:
            setattr(file, key, value)
    if fields["PixelData"] is not None:
        file["PixelData"].VR = "OW" if bits > 8 else "OB"
    return file


def write(path: Path, stored: np.ndarray, syntax: str = "explicit", **values: Any) -> Path:
    """Write ``dataset(…)`` to ``path``."""
    dataset(stored, syntax, **values).save_as(path, enforce_file_format=True)
    return path


def write_encapsulated(path: Path, frame: bytes, syntax: str, like: FileDataset) -> Path:
    """Write one compressed frame under the attributes of ``like``."""
    like.file_meta.TransferSyntaxUID = uid.UID(syntax)
    like.PixelData = encapsulate([frame])
    like["PixelData"].VR = "OB"
    like["PixelData"].is_undefined_length = True
    like.save_as(path, enforce_file_format=True)
    return path


def write_gdcm(path: Path, source: Path, name: str) -> Path:
    """Transcode a file by GDCM to a transfer syntax named as in ``gdcm.TransferSyntax``."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


def pillow_bytes(image: np.ndarray, kind: str, **options: Any) -> bytes:
    """A compressed image as Pillow writes it: JPEG or a JPEG 2000 codestream."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()
