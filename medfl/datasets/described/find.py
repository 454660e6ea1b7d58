"""Make an entry of a description."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.config import validate
from medfl.datasets.described.custom import load_custom
from medfl.datasets.described.custom_entry import custom_entry
from medfl.datasets.described.dataset import DescribedDataset
from medfl.datasets.described.fixed import fixed
from medfl.datasets.described.listing import descriptions, is_path
from medfl.datasets.described.schema import Description, check_name
from medfl.datasets.described.settings import settings_of
from medfl.datasets.described.variant import variant
from medfl.errors import MedflError
from medfl.files import read_yaml, sha256_file
from medfl.identity import quoted

if TYPE_CHECKING:
    from medfl.datasets.base import Dataset


def described(
    name: str, paths: Sequence[Path], taken: Collection[str], get: Callable[[str], Dataset]
) -> Dataset:
    """The dataset of a name which the files at ``paths`` describe. See ``read_description``."""
    if len(paths) > 1:
        both = " and ".join(map(str, paths[:2]))
        raise MedflError(f"{both} both describe a dataset `{name}`: give one another `name:`.")
    return read_description(paths[0], taken, get)


def read_description(
    path: str | os.PathLike[str], taken: Collection[str], get: Callable[[str], Dataset]
) -> Dataset:
    """Read and check a description; every mistake in it is a ``MedflError`` naming the file.

    Args:
        path: its file.
        taken: the catalog's names.
        get: gives the dataset of a name, where a description changes another one (``base``).
    """
    path = Path(path)
    content: Any = read_yaml(fixed(path))
    if not isinstance(content, dict):
        raise MedflError(f"{path} must hold keys such as `folder:` and `table:`.")
    data = validate(Description, content, str(path), quoted)
    name = data.name or path.stem
    try:
        check_name(name)
    except ValueError as error:
        raise MedflError(f"{path}: the name {error}; say `name:` in the file.") from error
    if name in taken:
        raise MedflError(
            f"{path}: `{name}` is a dataset of the catalog: rename the file, or say `name:` in it."
        )
    return _entry(data, name, path, taken, get)


def _entry(
    data: Description,
    name: str,
    path: Path,
    taken: Collection[str],
    get: Callable[[str], Dataset],
) -> Dataset:
    """Make the dataset of a checked description."""
    if data.kind:
        custom = load_custom(data.kind, data.options, str(path))
        return custom_entry(custom, name, data, sha256_file(fixed(path)))
    if data.base:
        # Its pixels would follow a second file, which its hash does not hold; and two descriptions
        # could name each other.
        if data.base not in taken and (is_path(data.base) or data.base in descriptions()):
            raise MedflError(
                f"{path}: `base: {data.base}` is a description itself: name a dataset of the "
                "catalog, or copy what that description says into this one."
            )
        return variant(data, name, path, get)
    common: dict[str, Any] = {
        "name": name,
        "title": data.title or name,
        "classes": (),
        "modality": data.modality,
        "citation": data.citation,
        "licence": data.licence,
        "where": f"described by {path}.",
        "default_size": data.size,
        "complete": False,
    }
    for modality in data.modalities or [""]:  # mistakes are said before anything is read
        settings_of(data, modality, data.modality or "none", path)
    return DescribedDataset(**common, data=data, path=path)
