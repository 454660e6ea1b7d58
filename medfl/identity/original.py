"""The way back from a pseudonym to a file, for the person at the keyboard alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from medfl.errors import MedflError
from medfl.identity.identifiers import printable
from medfl.identity.pseudonyms import Pseudonyms


def find_original(root: str | os.PathLike[str], name: str, pseudonyms: Pseudonyms) -> Path:
    """The file or folder below ``root`` that outputs call ``name``.

    Args:
        root: of the data.
        name: a pseudonym (``f-…``), or a path of an output in which some parts are pseudonyms.
        pseudonyms: with the key and the dataset by which the output was made.

    One that is not found is a ``MedflError``.
    """
    wanted = name.strip("/").split("/")
    if len(wanted) == 1:  # anywhere in the tree
        for folder, folders, files in os.walk(root):
            for part in sorted(folders) + sorted(files):
                if wanted[0] in (pseudonyms.file(part), printable(part)):
                    return Path(folder, part)
    else:
        found = [Path(root)]
        for part in wanted:
            found = [
                inner
                for folder in found
                if folder.is_dir()
                for inner in sorted(folder.iterdir())
                if part in (pseudonyms.file(inner.name), printable(inner.name))
            ]
        if found:
            return found[0]
    raise MedflError(
        f"nothing below {root} has the name {name}: give the folder and the dataset of which the "
        "output was made, and the key by which it was made."
    )


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
