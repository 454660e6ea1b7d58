"""The way back from a pseudonym to a file, for the person at the keyboard alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TextIO

from medfl.errors import MedflError
from medfl.files.walk import walk
from medfl.identity.identifiers import printable
from medfl.identity.pseudonyms import Pseudonyms


def find_original(root: str | os.PathLike[str], name: str, pseudonyms: Pseudonyms) -> Path:
    """Find the file or folder below ``root`` that outputs call ``name``.

    Args:
        root: the folder of the data.
        name: a pseudonym (``f-…``), or a path from ``root``, of an output, in which some parts are
            pseudonyms.
        pseudonyms: with the key and the dataset by which the output was made.

    Raises:
        MedflError: nothing has that name.
    """
    wanted = name.strip("/").split("/")
    shown = cache(pseudonyms.file)
    for path in sorted(_everything(Path(root)), key=lambda path: (len(path.parts), path)):
        parts = path.relative_to(root).parts
        if len(wanted) == 1:  # a lone name may be meant anywhere in the tree
            parts = parts[-1:]
        if len(parts) == len(wanted) and all(
            word in (shown(part), printable(part)) for word, part in zip(wanted, parts, strict=True)
        ):
            return path
    raise MedflError(
        f"nothing below {root} has the name {name}: give the folder and the dataset of which the "
        "output was made, and the key by which it was made."
    )


def _everything(root: Path) -> set[Path]:
    """The files below a folder, also those that are left out, and the folders that hold them."""
    if not root.is_dir():
        return set()
    found = walk(root)
    paths = [*found.files, *(Path(one.file) for one in found.left_out)]
    folders = {folder for path in paths for folder in path.parents}
    return {path for path in {*paths, *folders} if path != root and path.is_relative_to(root)}


def show_originals(find: Callable[[], Iterable[Path]], stream: TextIO | None = None) -> None:
    """Print the paths that ``find`` gives, to a terminal only; elsewhere it is a ``MedflError``."""
    stream = stream or sys.stdout
    if not stream.isatty():
        raise MedflError(
            "an original name is shown in a terminal only: do not redirect it, and do not run this "
            "where the output is kept."
        )
    for path in find():
        print(path, file=stream)
