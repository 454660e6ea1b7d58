"""Which DICOM modality code stands for a preset."""

from __future__ import annotations

_CODES = {"ct": "CT", "mri": "MR", "xray": "DX", "ultrasound": "US"}


def dicom_code(preset: str) -> str:
    """PS3.3 C.7.3.1.1.1; photographs are XC, and OT is other."""
    return _CODES.get(preset, "XC" if preset in ("dermatoscopy", "photo") else "OT")
