"""DICOM's modality codes, and which presets each stands for: the only table of them.

The codes are the defined terms of Modality (0008,0060), PS3.3 C.7.3.1.1.1, and three that are in
use beside them (DR, DERM, BF).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """What a code stands for.

    Attributes:
        words: the standard's words for it.
        preprocessing: the preset by which pixels of such an image are made.
        augmentation: the preset by which such images are changed in training.
    """

    words: str
    preprocessing: str
    augmentation: str


CODES = {
    "CT": Meaning("computed tomography", "ct", "ct"),
    "MR": Meaning("magnetic resonance", "mri", "mri"),
    "DX": Meaning("digital radiography", "xray", "xray"),
    "CR": Meaning("computed radiography", "xray", "xray"),
    "DR": Meaning("digital radiography, an old word for DX", "xray", "xray"),
    "MG": Meaning("mammography", "xray", "xray"),
    "RG": Meaning("radiographic imaging on film", "xray", "xray"),
    "PX": Meaning("panoramic X-ray", "xray", "xray"),
    "IO": Meaning("intra-oral radiography", "xray", "xray"),
    "RF": Meaning("radio fluoroscopy", "xray", "xray"),
    "XA": Meaning("X-ray angiography", "xray", "xray"),
    "US": Meaning("ultrasound", "ultrasound", "ultrasound"),
    # Speckle, and depth that runs one way, as in ultrasound; but no fan to be cut out.
    "IVUS": Meaning("intravascular ultrasound", "none", "ultrasound"),
    "OPT": Meaning("ophthalmic tomography", "none", "ultrasound"),
    "IVOCT": Meaning("intravascular optical coherence tomography", "none", "ultrasound"),
    "DMS": Meaning("dermoscopy", "dermatoscopy", "dermatoscopy"),
    "DERM": Meaning("dermoscopy, as some devices write it", "dermatoscopy", "dermatoscopy"),
    "XC": Meaning("external-camera photography", "photo", "photo"),
    "OP": Meaning("ophthalmic photography", "photo", "photo"),
    "ES": Meaning("endoscopy", "photo", "photo"),
    # A section is prepared as a photograph is, but it has no side that is up, and it is stained.
    "SM": Meaning("slide microscopy", "photo", "histology"),
    "GM": Meaning("general microscopy", "photo", "histology"),
    "BF": Meaning("microscopy in bright field", "none", "histology"),
}

OTHER = "OT"
"""DICOM's code for what no other code names."""

# The other defined terms of Modality, in use or retired; any other word may be somebody's name.
_TERMS = """
ANN AR AS ASMT AU BDUS BI BMD CD CF CFM CP CS CTPROTOCOL DD DF DG DM DOC DS EC ECG EEG EMG EOG EPS
FA FID FS HC HD KER KO LEN LP LS M3D MA MS NM OAM OCT OPM OPR OPTBSV OPTENF OPV OSS OT PA PLAN POS
PR PT REG RESP RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SMR SR SRF
ST STAIN TEXTUREMAP TG VA VF XAPROTOCOL
"""

# The code that a store gets where only the preset is known: the commonest of those that mean it.
_CODE_OF = {
    "ct": "CT",
    "mri": "MR",
    "xray": "DX",
    "ultrasound": "US",
    "dermatoscopy": "DMS",
    "photo": "XC",
}


def meaning_of(code: str) -> Meaning | None:
    """What a code stands for, in any case of letters; None for a code that is not known here."""
    return CODES.get(code.strip().upper())


def stated_code(value: object) -> str:
    """The code that a header states; empty where it is none of the standard's."""
    code = str(value or "").strip().upper()
    return code if code in CODES or code in _TERMS.split() else ""


def dicom_code(preset: str) -> str:
    """The DICOM code for images that a preset of preprocessing is meant for."""
    return _CODE_OF.get(preset, OTHER)
