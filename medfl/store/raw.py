"""What a store is made of: the samples of a dataset, and how the pixels of each are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medfl.files.exclusions import Exclusion
from medfl.store.table import Sample


@dataclass(frozen=True)
class RawData:
    """A dataset found on disk, and how its pixels are read.

    Attributes:
        samples: a row for each image.
        sources: what ``decode`` takes for each sample: a file's ``Path``, a tuple of them (the
            slices of a volume), or anything else whose ``repr`` says what it is (a row number).
        decode: from a source to (C, size, size) or (C, size, size, size), uint8 or int16, all of
            one shape; ``MedflError`` where that cannot be done.
        fingerprint: SHA-256 over what is read beside the sources (tables, settings). The sources'
            own files are hashed when they are decoded.
        notes: what was found that a user should know.
        names: what the sources are called in outputs, without identifiers of people; the ids of
            the samples where empty.
        missing: samples that the dataset's tables list and the disk lacks.
        excluded: files and samples left out before any was decoded.
        warnings: for ``prepare.json`` and the screen.
        settings: how pixels are made, for ``prepare.json``.
        info: fields of ``DatasetInfo`` that only the data could tell (classes, channels, …).
        sizes: what ``source_size`` would say, by row, for sources whose headers were read already.
        scan: what looking through the files took, for ``prepare.json``.
    """

    samples: Sequence[Sample]
    sources: Sequence[Any]
    decode: Callable[[Any], np.ndarray]
    fingerprint: str
    notes: str = ""
    names: Sequence[str] = ()
    missing: int = 0
    excluded: Sequence[Exclusion] = ()
    warnings: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[int, str] = field(default_factory=dict)
    scan: Mapping[str, Any] = field(default_factory=dict)

    def name(self, row: int) -> str:
        """What a source is called in outputs."""
        return self.names[row] if self.names else self.samples[row].id

    @property
    def images(self) -> Iterator[np.ndarray]:
        """All images in order, decoded one after another."""
        return map(self.decode, self.sources)
