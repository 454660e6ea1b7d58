"""A dataset of the catalog under a name of one's own, with other pixels or other labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from medfl.datasets.base import Dataset, Places
from medfl.datasets.described.decode import Reader, channel_names
from medfl.datasets.described.fixed import fixed
from medfl.datasets.described.labels import LabelRules
from medfl.datasets.described.schema import Description
from medfl.errors import MedflError, naming
from medfl.files import sha256_file
from medfl.files.exclusions import Exclusion, LeftOut
from medfl.imaging.modality import Preprocess, preprocess_for, preset_for
from medfl.store.raw import RawData


@dataclass(frozen=True, kw_only=True)
class Variant(Dataset):
    """Reads its base, and changes what a description says.

    Attributes:
        base: the dataset of the catalog.
        data: the description.
        path: its file.
        settings: how pixels are made; None as the base makes them.
    """

    base: Dataset
    data: Description
    path: Path
    settings: Preprocess | None

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Read what the base reads, with other preprocessing or labels."""
        raw = self.base.read(places, size, allow_partial)
        if "labels" in self.data.model_fields_set:
            raw = self._relabelled(raw)
        if self.settings is not None:
            if not all(isinstance(source, Path) for source in raw.sources):
                raise MedflError(
                    f"{self.path}: `{self.base.name}` has no image files of its own, so its "
                    "`preprocess` cannot be changed."
                )
            record = self.settings.model_dump(mode="json")
            raw = replace(
                raw,
                decode=Reader((self.settings,), size),
                settings={**raw.settings, "preprocess": record},
                info={**raw.info, "channels": channel_names((self.settings,), ("",))},
            )
        sha = self.description_sha(places)
        digest = hashlib.sha256(f"{raw.fingerprint}{sha}".encode()).hexdigest()
        settings = {**raw.settings, "description": sha, "base": self.base.name}
        return replace(raw, fingerprint=digest, settings=settings)

    def readers(self) -> tuple[type, ...]:
        """Add the base's readers."""
        return (*self.base.readers(), type(self))

    def description_sha(self, places: Places) -> str:
        """Hash the description; its base is in the catalog and has none."""
        return sha256_file(fixed(self.path))

    def _relabelled(self, raw: RawData) -> RawData:
        rules = LabelRules(self.data.labels, self.base.task == "multilabel", str(self.path))
        kept, excluded = [], list(raw.excluded)
        labels: list[tuple[str, ...]] = []
        for row, sample in enumerate(raw.samples):
            try:
                labels.append(rules.kept(map(rules.renamed, sample.labels)))
                kept.append(row)
            except LeftOut as reason:
                excluded.append(Exclusion(raw.name(row), str(reason)))
        labels = rules.one_spelling(labels)
        classes = rules.classes(labels)
        samples = [
            replace(raw.samples[row], labels=names) for row, names in zip(kept, labels, strict=True)
        ]
        return replace(
            raw,
            samples=samples,
            sources=[raw.sources[row] for row in kept],
            names=[raw.names[row] for row in kept] if raw.names else (),
            excluded=excluded,
            warnings=[*raw.warnings, *rules.warnings(classes, labels)],
            info={**raw.info, "classes": classes, "task": rules.task},
        )


def variant(data: Description, name: str, path: Path, get: Callable[[str], Dataset]) -> Variant:
    """Make the variant that a description asks for; ``get`` gives its base by name."""
    with naming(str(path)):
        base = get(data.base)
    settings = None
    if data.preprocess or data.modality:
        usual = data.modality or preset_for(base.modality)
        settings = preprocess_for(usual, data.preprocess, f"{path}: preprocess")
    return Variant(
        **_described(base),
        name=name,
        title=data.title or f"{base.title} ({name})",
        default_size=data.size if "size" in data.model_fields_set else base.default_size,
        base=base,
        data=data,
        path=path,
        settings=settings,
    )


def _described(base: Dataset) -> dict[str, Any]:
    """Collect what a variant takes over as it is."""
    own = ("name", "title", "default_size")
    shared = [one.name for one in fields(Dataset) if one.name not in own]
    return {name: getattr(base, name) for name in shared}
