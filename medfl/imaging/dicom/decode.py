"""Turn stored values into modality units, for every transfer syntax that hospitals have.

The decoders are pydicom's, with GDCM, CharLS (pyjpegls), OpenJPEG and the fast RLE of pylibjpeg.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.errors import Reason, failure
from medfl.files.memory import end_without_memory
from medfl.imaging.dicom.claims import refuse_frame
from medfl.imaging.dicom.display import table_of, window_of
from medfl.imaging.dicom.frames import frame_count, frame_header, pixel_spacing
from medfl.imaging.dicom.header import PIXELS, DicomError
from medfl.imaging.dicom.lut import look_up, read_lut
from medfl.imaging.dicom.palette import apply_palette
from medfl.imaging.dicom.regions import tissue_regions
from medfl.imaging.dicom.values import kind
from medfl.imaging.numbers import as_float32, only_numbers, remark_if_lost
from medfl.imaging.pixels import Pixels
from medfl.imaging.quiet import hush_gdcm

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.pixels.decoders.base import Decoder

COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def frame_pixels(header: Dataset, path: str | os.PathLike[str], frame: int = 0) -> Pixels:
    """Decode one frame to modality units, with all that is needed to show it.

    Args:
        header: read with its pixel data.
        path: the file, for errors.
        frame: which frame, from 0.

    Raises:
        DicomError: the file is damaged, claims more than is sane, or holds no image or no such
            frame.
    """
    if not any(name in header for name in PIXELS):
        raise DicomError(path, f"holds no image ({kind(header)})")
    try:
        frames = frame_count(header)
        if 0 <= frame < frames:
            refuse_frame(header, path, frame)
            own = frame_header(header, frame)
            return _colour(header, own, frame) if _is_colour(header) else _grey(header, own, frame)
    except DicomError:
        raise
    except RuntimeError as error:  # by which pydicom says that no decoder took them
        end_without_memory(error, told=False)
        raise DicomError(path, "has pixels that cannot be decoded: no decoder takes them") from None
    except Exception as error:  # pydicom and its decoders report damage by any exception
        raise DicomError(path, f"has pixels that cannot be decoded: {failure(error)}") from None
    raise DicomError(path, f"holds {frames} frames: there is no frame {frame} (the first is 0)")


def _is_colour(header: Dataset) -> bool:
    space = header.PhotometricInterpretation
    if space == "PALETTE COLOR":
        return True
    if int(header.get("SamplesPerPixel") or 1) == 1:
        return False
    if space not in COLOURS:
        raise Reason("its colour space is not one of " + ", ".join(COLOURS))
    return True


def _colour(header: Dataset, own: Dataset, frame: int) -> Pixels:
    stored = _stored(header, frame)  # YBR becomes RGB here
    bits = int(header.BitsStored)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        stored, bits = apply_palette(stored, header)
    values = stored[..., :3].astype(np.float32) * np.float32(255 / (2**bits - 1))
    return Pixels(
        values, pixel_spacing(own), value_range=(0.0, 255.0), regions=tissue_regions(header)
    )


def _grey(header: Dataset, own: Dataset, frame: int) -> Pixels:
    stored = _stored(header, frame)
    values, value_range, signed = _modality(stored, own)
    remark_if_lost(stored, [values])
    values, valid = only_numbers(values, _valid(stored, header, frame))
    return Pixels(
        values,
        pixel_spacing(own),
        value_range=value_range,
        window=window_of(own),
        inverted=header.PhotometricInterpretation == "MONOCHROME1",
        valid=valid,
        table=table_of(own, _little(own), signed),
        regions=tissue_regions(header),
    )


def _stored(header: Dataset, frame: int, **options: Any) -> np.ndarray:
    """The stored values of a frame, without the bits above BitsStored (old files hide overlays)."""
    from pydicom.pixels import pixel_array

    options["index"] = frame
    decoder, preferred = _decoder(header.file_meta.TransferSyntaxUID)
    if decoder is not None and not decoder.is_available:
        needs = "; ".join(decoder.missing_dependencies)
        raise Reason(f"no decoder of {decoder.UID.name} is installed ({needs})")
    if preferred:
        try:
            return pixel_array(header, decoding_plugin=preferred, **options)
        except RuntimeError:  # the other decoders may take what this one refuses
            pass
    return pixel_array(header, **options)


@cache
def _decoder(syntax: str) -> tuple[Decoder | None, str]:
    """What decodes a transfer syntax, and the name of its fastest decoder where one is faster."""
    from pydicom import uid
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        name = getattr(uid.UID(syntax), "name", "")
        known = name if uid.UID(syntax) in uid.AllTransferSyntaxes else "not one of the standard"
        raise Reason(f"no decoder takes its transfer syntax ({known})") from error
    if uid.UID(syntax).is_compressed:
        hush_gdcm()
    if syntax == uid.JPEGExtended12Bit and "gdcm12" not in decoder.available_plugins:
        decoder.add_plugin("gdcm12", ("medfl.imaging.dicom.jpeg12", "decode_frame"))
    fast = {
        uid.RLELossless: "pylibjpeg",
        uid.JPEGLSLossless: "pyjpegls",
        uid.JPEGLSNearLossless: "pyjpegls",
    }.get(uid.UID(syntax), "")
    return decoder, fast if fast in decoder.available_plugins else ""


def _modality(
    stored: np.ndarray, own: Dataset
) -> tuple[np.ndarray, tuple[float, float] | None, bool]:
    """Modality units, their range where 8 bits or fewer give one, and whether they have a sign."""
    signed = bool(own.get("PixelRepresentation"))
    narrow = int(own.get("BitsStored") or 16) <= 8 and not signed
    if own.get("ModalityLUTSequence"):
        first, levels, _ = read_lut(own.ModalityLUTSequence[0], _little(own), signed)
        ends = (float(levels.min()), float(levels.max())) if narrow else None
        return look_up(stored, first, levels), ends, False
    slope, intercept = (
        float(default if (value := own.get(name)) in (None, "") else value)
        for name, default in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    if not slope or not np.isfinite([slope, intercept]).all():
        raise Reason("its rescale slope is zero, or no number")
    # Python's numbers keep the precision of the array: float32 holds 16 bits exactly.
    exact: Any = np.float64 if stored.dtype.itemsize > 2 else np.float32
    values: np.ndarray = stored.astype(exact)
    with np.errstate(over="ignore", invalid="ignore"):  # what is no number then is padding
        values = as_float32(values * slope + intercept)
    ends = None
    if narrow:
        low, high = sorted((intercept, intercept + slope * (2 ** int(own.BitsStored) - 1)))
        ends = (low, high)
    return values, ends, signed or intercept < 0 or slope < 0


def _valid(stored: np.ndarray, header: Dataset, frame: int) -> np.ndarray | None:
    """Mark padding by False (PS3.3 C.7.5.1.1.2); None where the file states none."""
    name = next(name for name in PIXELS if name in header).removesuffix("Data")
    ends = [header.get(f"{name}Padding{end}") for end in ("Value", "RangeLimit")]
    if ends[0] is None:
        return None
    if stored.dtype.kind == "f":
        low, high = (float(end) for end in (ends[0], ends[0] if ends[1] is None else ends[1]))
    else:
        low, high = _whole_ends([int(end) for end in ends if end is not None], header)
        bits, signed = int(header.BitsStored), bool(header.get("PixelRepresentation"))
        lowest, highest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if not lowest <= low <= high <= highest:  # padding that needs the bits above BitsStored
            stored = _stored(header, frame, correct_unused_bits=False)
    padding = (stored >= min(low, high)) & (stored <= max(low, high))
    return ~padding if padding.any() else None


def _whole_ends(ends: list[int], header: Dataset) -> tuple[int, int]:
    """Lowest and highest whole number that are padding."""
    if header.get("PixelRepresentation"):  # some scanners write such numbers without their sign
        ends = [end - 65536 if end >= 32768 else end for end in ends]
    return min(ends), max(ends)


def _little(header: Dataset) -> bool:
    return bool(header.file_meta.TransferSyntaxUID.is_little_endian)
