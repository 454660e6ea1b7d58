"""Names that are part of the picture: whoever removes attributes leaves them in the pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

_ULTRASOUND = ("1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.6.")
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
ADVICE = (
    "look at such images, and cut or mask what names a person, before anybody else sees pictures "
    "or models made of them"
)


def burnt_in_warning(header: Dataset) -> str:
    """Say why an image may show who the patient is; empty where nothing speaks for it."""
    stated = str(header.get("BurnedInAnnotation") or "").strip().upper()
    if stated == "YES":
        return "annotations are burnt into the pixels (BurnedInAnnotation is YES)"
    if str(header.get("RecognizableVisualFeatures") or "").strip().upper() == "YES":
        return "features can be recognised, such as a face (RecognizableVisualFeatures is YES)"
    if stated == "NO":
        return ""
    kind = str(header.get("SOPClassUID") or "")
    image_type = str(header.get("ImageType") or "").upper()
    if "SCREEN" in image_type:
        what = "a screenshot"
    elif kind.startswith(_SECONDARY):
        what = "a secondary capture"
    elif kind.startswith(_ULTRASOUND) or header.get("Modality") in ("US", "IVUS"):
        what = "an ultrasound image"
    else:
        return ""
    return f"{what} does not say whether annotations are burnt into its pixels"


def burnt_in_summary(reasons: Iterable[str]) -> list[str]:
    """Write a line for each reason of ``burnt_in_warning``: how many images, and what to do."""
    counted = Counter(reason for reason in reasons if reason)
    return [f"{count:,} images: {reason}; {ADVICE}." for reason, count in counted.most_common()]
