"""What the names of folders and files say of their contents: a fold, images, or segmentations.

A name is taken apart into words first, so that case, marks and numbers do not matter:
``Train_set``, ``TRAINING data`` and ``01-train`` all say train.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_ORDINAL = re.compile(r"(?<=\d)(st|[nr]d|th)(?![a-z])", re.I)
_FOLDS = {
    "train": re.compile(r"train(ing|ed)?|trn"),
    "val": re.compile(r"val(id|idate|idation)?|dev|eval(uation)?|tun(e|ing)"),
    "test": re.compile(r"test(ing|s)?|tst|hold(ed)?out|heldout"),
}
_UNKNOWN_FOLD = re.compile(r"development|derivation")  # training, or training and validation
_SHORT = {"tr": "train", "ts": "test", "va": "val"}  # as in imagesTr
_NUMBERED = {"fold", "split", "cv", "kfold", "crossval", "partition"}
_GRADES = {
    *("grade", "class", "stage", "type", "level", "score", "category", "kl", "birads", "isup"),
    *("gleason", "degree"),
}
_SITES = {
    *("hospital", "hospitals", "hosp", "site", "center", "centre", "clinic", "klinik", "klinikum"),
    *("institution", "institute", "ward", "scanner", "vendor", "client", "node", "krankenhaus"),
}
_PEOPLE = {"patient", "pat", "patients", "subject", "subj", "sub", "case", "person", "pid", "mrn"}
_ALL = {"archive", "master", "main", "download", "downloads", "unpacked", "dataset", "datasets"}
_PARTS = {"part", "batch", "chunk", "archive", "disk", "disc", "zip", "shard", "volume", "vol"}
_FILLER = {
    *("set", "sets", "data", "dataset", "split", "splits", "fold", "folds", "subset", "folder"),
    *("partition", "cases", "samples", "internal", "final", "new", "all", "public", "private"),
    *("jpg", "jpeg", "png", "tif", "dcm", "dicom", "nii", "nifti", "x", "cv", "the", "of"),
}
_IMAGES = {
    *("image", "images", "img", "imgs", "im", "ims", "picture", "pictures", "photo", "photos"),
    *("scan", "scans", "orig", "original", "originals", "raw", "jpegimages", "volume", "volumes"),
    *("vol", "input", "inputs", "slices"),
}
_SEGMENTATIONS = {
    *("seg", "segs", "segm", "segmentation", "segmentations", "segmented", "label", "labels"),
    *("labelmap", "labelmaps", "annotation", "annotations", "annotated", "annot", "annots", "roi"),
    *("rois", "gt", "gts", "contour", "contours", "overlay", "overlays", "outline", "outlines"),
    *("delineation", "delineations", "manual", "truth", "msk", "lbl", "anno", "annos"),
}
_ENDS_LIKE_ONE = re.compile(r"(?!no|non|un|face)\w*(masks?|segmentations?|groundtruths?)")
_SURE = re.compile("segment|annot|contour|overlay|outline|delineat")
_DENIED = re.compile("(no|non|un)(mask|seg|label|annot|contour)")
_DENIES = {"no", "non", "not", "with", "without"}  # with_mask and without_mask are classes


def words_of(name: str) -> list[str]:
    """Take a name apart, in small letters: ``imagesTr_01`` gives images, tr, 1."""
    words = [word.casefold() for word in _WORDS.findall(_ORDINAL.sub("", name))]
    text = " ".join(str(int(word)) if word.isdecimal() else word for word in words)
    for pair in ("ground truth", "hold out", "held out"):
        text = text.replace(pair, pair.replace(" ", ""))
    return text.split()


def fold_word(name: str) -> str | None:
    """Say which fold a name means: train, val or test.

    It is empty for a fold that has only a number (``fold_3``) or may mean several
    (``development``), and None where the name is none of a fold.
    """
    words = words_of(name)
    roles = _IMAGES | _SEGMENTATIONS
    filler = _FILLER | _NUMBERED | roles | {"external"}
    found: list[str] = []
    for word in words:
        if word.isdecimal() or word in filler:
            continue
        fold = _fold_of(word)
        if fold is None and not roles.isdisjoint(words):  # TR_2 is a time of MR
            fold = _SHORT.get(word)
        if fold is None:
            return None
        found.append(fold)
    if not found:
        numbered = not _NUMBERED.isdisjoint(words) and any(word.isdecimal() for word in words)
        return "" if numbered else None
    kinds = set(found)
    if kinds == {"train", "val"}:  # what official lists call train_val
        return "train"
    if len(kinds) > 1 or (kinds == {"val"} and "external" in words):  # a test, in medicine
        return ""
    return found[0]


def _fold_of(word: str) -> str | None:
    for end in (
        "",
        "datasets",
        "dataset",
        "data",
        "sets",
        "set",
        "images",
        "imgs",
        "split",
        "fold",
    ):
        stem = word.removesuffix(end)
        if end and stem == word:
            continue
        if _UNKNOWN_FOLD.fullmatch(stem):
            return ""
        for fold, pattern in _FOLDS.items():
            if pattern.fullmatch(stem):
                return fold
    return "train" if word in ("trainval", "trainvalid") else None


def is_part(name: str) -> bool:
    """Whether a name counts pieces of one collection: ``images_003``, ``part 2``, ``batch1``."""
    words = words_of(name)
    known = all(w.isdecimal() or w in _PARTS | _IMAGES | _FILLER for w in words)
    return known and any(w.isdecimal() for w in words) and not all(w.isdecimal() for w in words)


def is_numbered(name: str) -> bool:
    """Whether a name holds a number, as names of patients, studies and series do."""
    return any(letter.isdecimal() for letter in name)


def are_counted(names: Collection[str]) -> bool:
    """Whether names differ by a number alone, as those of people do: ``case1``, ``case2``."""
    shapes = {re.sub(r"\d+", "#", name.casefold()) for name in names}
    if len(names) < 2 or len(shapes) > 1 or any(map(is_grade, names)):
        return False
    return re.search(r"[^\W\d]", shapes.pop()) is not None


def names_a_site(name: str) -> bool:
    """Whether a name says that it is a place: ``hospital_A``, ``Site-2``, ``clinic north``."""
    return not _SITES.isdisjoint(words_of(name))


def names_a_person(name: str) -> bool:
    """Whether a name counts people: ``patient_07``, ``sub-3``, ``Case 12``."""
    words = words_of(name)
    return not _PEOPLE.isdisjoint(words) and any(word.isdecimal() for word in words)


def is_grade(name: str) -> bool:
    """Whether a name with a number is a class all the same: ``grade 2``, ``BIRADS_4``."""
    words = words_of(name)
    return is_numbered(name) and not _GRADES.isdisjoint(words)


def is_generic(name: str) -> bool:
    """Whether a name is what any collection is called: ``data``, ``images``, ``set-master``."""
    return all(word.isdecimal() or word in _FILLER | _IMAGES | _ALL for word in words_of(name))


def names_a_collection(name: str) -> bool:
    """Whether a name says that it is a collection, whatever of: ``DR-dataset``, ``mri-master``."""
    return is_generic(name) or not ({"data", "dataset", "images"} | _ALL).isdisjoint(words_of(name))


def without_role(name: str) -> tuple[tuple[str, ...], bool, bool]:
    """Take the words for images and segmentations out of a name.

    Returns:
        The other words; whether it names segmentations; whether it names images.
    """
    words = words_of(name)
    if not _DENIES.isdisjoint(words):
        return tuple(words), False, False
    masks = [word in _SEGMENTATIONS or bool(_ENDS_LIKE_ONE.fullmatch(word)) for word in words]
    rest = [
        word for word, mask in zip(words, masks, strict=True) if not mask and word not in _IMAGES
    ]
    shows = any(word in _IMAGES for word in words)
    return tuple(rest), any(masks), shows and not any(masks)


def surely_masks(name: str) -> bool:
    """Whether a name can hardly be a class: ``masks``, but not ``GT`` or ``ROI``."""
    return any(_ENDS_LIKE_ONE.fullmatch(word) or _SURE.match(word) for word in words_of(name))


def denies(name: str) -> bool:
    """Whether a name says that something lacks masks: beside ``nomask``, ``mask`` is a class."""
    words = words_of(name)
    joined = "".join(words)
    said = not {"no", "non", "not", "without"}.isdisjoint(words) or bool(_DENIED.match(joined))
    return said and any(word in joined for word in ("mask", "seg", "label", "annot", "contour"))


def only_role(name: str) -> bool:
    """Whether a name has no other words than those of a role, numbers and fillers."""
    rest, masks, images = without_role(name)
    return (masks or images) and all(word.isdecimal() or word in _FILLER for word in rest)
