"""The published sets, of which anybody can count the samples; all other data are somebody's own.

They stand here and not among the readers: runs ask for them, and no edit of a reader makes a run
stale.
"""

from __future__ import annotations

import re

from medfl.disclosure.cells import DEFAULT, NONE

MEDMNIST = (
    *("pathmnist", "chestmnist", "dermamnist", "octmnist", "pneumoniamnist", "retinamnist"),
    *("breastmnist", "bloodmnist", "tissuemnist", "organamnist", "organcmnist", "organsmnist"),
    *("organmnist3d", "nodulemnist3d", "adrenalmnist3d", "fracturemnist3d", "vesselmnist3d"),
    "synapsemnist3d",
)
CATALOG = {
    "phantom": "phantom:PHANTOM",
    "phantom3d": "phantom3d:PHANTOM3D",
    "ham10000": "ham10000:HAM10000",
    "isic2019": "isic2019:ISIC2019",
    "fed-isic2019": "isic2019:FED_ISIC2019",
    "chestxray14": "chestxray14:CHESTXRAY14",
    "covidct": "covidct:COVIDCT",
    "braintumor": "braintumor:BRAINTUMOR",
    **{name: f"medmnist:{name}" for name in MEDMNIST},
}
"""Name → where its entry is, below ``medfl.datasets.catalog``."""


def minimum_cell(word: str, given: int | None = None) -> int:
    """The smallest count of a dataset that is published: ``given``, else by whose data it is.

    Anybody can count the samples of a published set. All others, those too that are described
    as its like, are taken for people's own.
    """
    if given is not None:
        return given
    return NONE if re.sub(r"-[0-9]+$", "", word) in CATALOG else DEFAULT
