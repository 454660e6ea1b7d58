"""Decode JPEG Extended of 12 bits with GDCM, as a plugin of pydicom.

pydicom 3.0 refuses to pass such frames to GDCM, which reads them rightly nowadays; its other
decoder for them is under a licence that this project cannot take on. The three names that a
plugin must have are pydicom's (``DECODER_DEPENDENCIES``, ``is_available``, the function).
"""

from __future__ import annotations

from typing import Any

from pydicom.uid import JPEGExtended12Bit

DECODER_DEPENDENCIES = {JPEGExtended12Bit: ("gdcm>=3.0.24",)}


def is_available(uid: str) -> bool:
    """Whether GDCM is there, and the transfer syntax is the one for which this is meant."""
    try:
        import gdcm  # noqa: F401
    except ImportError:
        return False
    return uid == JPEGExtended12Bit


def decode_frame(src: bytes, runner: Any) -> bytes:
    """One compressed frame to little-endian 16-bit samples."""
    import gdcm

    if runner.samples_per_pixel != 1 or not 8 < runner.bits_stored <= 12:
        raise NotImplementedError("only grey frames of 9 to 12 bits are decoded here")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(src)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.MONOCHROME2  # MONOCHROME1 is inverted for display only
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    bits = runner.bits_stored
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, bits, bits - 1, runner.pixel_representation))
    runner.set_option("bits_allocated", 16)
    buffer: str = image.GetBuffer()  # GDCM's wrapper gives bytes as text
    return buffer.encode("utf-8", "surrogateescape")
