"""Brain Tumor MRI: slices of four classes in Training and Testing folders, with many duplicates.

Sources: Bhuvaji et al., Brain Tumor Classification (MRI), Kaggle (2020), 3,264 images; a larger
set of the same layout by Nickparvar, Kaggle (2021), holds 7,023.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path

from medfl.datasets.base import Dataset, Places
from medfl.datasets.folder_words import fold_word
from medfl.datasets.official import settle_folds
from medfl.datasets.published import copies_note
from medfl.datasets.raw_folder import RawFolder, look_into, one_each, plain
from medfl.files.exclusions import Exclusion
from medfl.imaging.duplicates import Duplicates, find_duplicates
from medfl.imaging.images import read_image
from medfl.imaging.kinds import kind_by_ending
from medfl.imaging.lookalikes import Likeness
from medfl.store import Sample
from medfl.store.raw import RawData

# Not ``ALIKE``, by which the cards list look-alikes. Many pictures of this set are there twice, in
# another size, brightness or JPEG quality. A copy that is not found lies in training and test,
# while two pictures that are wrongly joined only share a fold: so less correlation is enough. The
# hashes are of whole files, not of small stored images, and differ in fewer bits. In the 394 images
# of Testing these numbers find 281 pictures, `ALIKE` 290. The groups are part of the set's stores:
# by other numbers, splits and results would change.
ONE_PICTURE = Likeness(bits=6, correlation=0.9)
SPELLINGS = {
    "glioma": "glioma",
    "meningioma": "meningioma",
    "pituitary": "pituitary",
    "no": "no_tumor",
    "normal": "no_tumor",
    "healthy": "no_tumor",
}


class BrainTumor(Dataset):
    """Class folders below Training and Testing, spelled as any copy spells them."""

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Find the images and which show one picture, decode to (1, size, size).

        The sets name no patients: images that show one picture are a group. Slices have many
        shapes: the whole is kept, with margins.
        """
        tree = look_into(self.root(places))
        places_of = [(file, *_place(tree, file)) for file in tree.images()]
        odd = [file for file, _, label in places_of if not label]
        kept = [(file, fold, label) for file, fold, label in places_of if label]
        if not kept:
            raise self.missing(places, f"is incomplete in {tree.root}: {_what_lies_there(tree)}")
        self._check_complete(places, tree, kept, odd, allow_partial)
        named = {file: f"{fold or 'all'}/{label}/{file.name}" for file, fold, label in kept}
        files, copies = one_each((named[file], file) for file, _, _ in kept)
        of_file = {file: (fold, label) for file, fold, label in kept}
        ids = sorted(files)
        sources = [files[name] for name in ids]
        repeated = find_duplicates(sources, ONE_PICTURE)
        samples = [
            Sample(
                id=name,
                labels=(of_file[file][1],),
                group=ids[first],
                modality=self.modality,
                fold=of_file[file][0],
            )
            for name, file, first in zip(ids, sources, repeated.groups.tolist(), strict=True)
        ]
        warnings = [*copies_note(copies), *_about(samples, repeated)]
        samples, more = settle_folds(samples, "the folders Training and Testing")
        reason = "it lies in no folder of a class, below Training or Testing"
        excluded = [Exclusion(str(file.relative_to(tree.root)), reason) for file in odd]
        excluded += tree.left_out([*files.values(), *odd], of_file)
        return RawData(
            samples=samples,
            sources=sources,
            decode=partial(read_image, size=size, channels=1, fit="pad"),
            fingerprint=hashlib.sha256("\n".join(ids).encode()).hexdigest(),
            notes=" ".join(f"{warning}." for warning in warnings),
            missing=max(0, (self.source_images or 0) - len(ids)) if allow_partial else 0,
            excluded=excluded,
            warnings=[*warnings, *more],
            settings={
                "duplicates": {
                    "max_bits": ONE_PICTURE.bits,
                    "min_correlation": ONE_PICTURE.correlation,
                }
            },
        )

    def images_in(self, tree: RawFolder) -> list[Path]:
        """List the images in folders of classes."""
        return [file for file in tree.images() if _place(tree, file)[1]]

    def _check_complete(
        self,
        places: Places,
        tree: RawFolder,
        kept: list[tuple[Path, str, str]],
        odd: list[Path],
        allow_partial: bool,
    ) -> None:
        """Refuse a copy that lacks a class, a fold, or images of the smallest published copy."""
        if allow_partial:
            return
        where = f"is incomplete in {tree.root}"
        labels = {label for _, _, label in kept}
        folds = {fold for _, fold, _ in kept}
        lacking = [f"no images of {name}" for name in self.classes if name not in labels]
        for fold, folder in (("train", "Training"), ("test", "Testing")):
            if folds != {""} and fold not in folds:  # a copy without such folders has no folds
                lacking.append(f"no images in {folder}")
        if len(kept) < (self.source_images or 0):
            lacking.append(f"{len(kept):,} images in all")
        if lacking:
            raise self.missing(places, f"{where}: {', '.join(lacking)}", partial=True)
        broken = [link for link in tree.broken if kind_by_ending(link.name) == "image"]
        if odd or broken:
            first = (odd or broken)[0].relative_to(tree.root)
            problem = f"{where}: {len(odd) + len(broken):,} files (the first is {first}) are "
            problem += (
                "no ordinary files (links to nothing, pipes …) or lie in no folder of a class"
            )
            raise self.missing(places, problem, partial=True)


def _place(tree: RawFolder, file: Path) -> tuple[str, str]:
    """Read the fold and the class from an image's folders; empty where they say none."""
    fold = label = ""
    for name in tree.folders(file):
        fold = fold_word(name) or fold
        word = plain(name).removesuffix("tumor").removesuffix("tumour")
        label = SPELLINGS.get(word, label)
    return fold, label


def _what_lies_there(tree: RawFolder) -> str:
    zips = tree.archives()
    if zips:
        return f"only {zips[0].name}, which is to be unpacked there"
    return "no images in folders Training and Testing of the four classes"


def _about(samples: list[Sample], repeated: Duplicates) -> list[str]:
    """Warn about what repeats: within folds, between them, and under two labels."""
    if not repeated.exact + repeated.near:
        return []
    folds, labels = defaultdict(set), defaultdict(set)
    for sample in samples:
        folds[sample.group].add(sample.fold)
        labels[sample.group].add(sample.labels)
    sizes = Counter(sample.group for sample in samples)
    between = sum(len(found) > 1 for found in folds.values())
    torn = sum(sizes[group] for group, found in labels.items() if len(found) > 1)
    return [
        f"DUPLICATES: {repeated.exact:,} of {len(samples):,} images equal an earlier one pixel by "
        f"pixel and {repeated.near:,} more nearly do; each picture is one group "
        f"({len(sizes):,} groups; {between:,} of them lie in both Training and Testing; "
        f"{torn:,} images share a group with another label)"
    ]


BRAINTUMOR = BrainTumor(
    name="braintumor",
    title="Brain Tumor MRI",
    classes=("glioma", "meningioma", "no_tumor", "pituitary"),
    modality="MR",
    citation=(
        "Bhuvaji, Kadam, Bhumkar, Dedge, Kanchan. Brain tumor classification (MRI). Kaggle (2020), "
        "doi:10.34740/KAGGLE/DSV/1183165."
    ),
    licence="as stated on the Kaggle page of the copy you use; the origin of the images is mixed",
    where=(
        "the folders Training and Testing with a folder for each class, from "
        "https://www.kaggle.com/datasets/sartajbhuvaji/brain-tumor-classification-mri (3,264 "
        "images) or https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset."
    ),
    default_size=64,
    source_images=3264,
    folders=(
        "brain-tumor-mri",
        "braintumor",
        "brain-tumor",
        "brain-tumor-classification-mri",
        "brain-tumor-mri-dataset",
    ),
    aliases=("brain-tumor", "brain-tumor-mri", "braintumormri", "brain", "bt-mri"),
    disk="0.1 to 0.2 GB",
    group="image",
    notes=(
        "No patients are named: images that show one picture are one group, but other slices of "
        "one patient may lie in two folds, so scores are flattering. There are no natural sites."
    ),
)
