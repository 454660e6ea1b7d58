"""The table of a split, ``sample,client,fold``: read, and compared with its store.

A colleague's table may come from a spreadsheet: the columns in any order, more columns beside them,
commas, semicolons or tabs between cells, CRLF, a byte order mark, and hospitals by name.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError
from medfl.files.regular import read_text
from medfl.identity.pseudonyms import bring_key, is_pseudonym
from medfl.identity.spelling import alike, is_unknown
from medfl.partition.folds import FOLDS

if TYPE_CHECKING:
    from medfl.store import Store

COLUMNS = ("sample", "client", "fold")


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a split's file.

    Attributes:
        samples: (n,) ids as they stand there.
        clients: (n,) int64, from 0.
        folds: (n,) ``train``, ``val`` or ``test``.
        lines: (n,) the line of each row in the file.
        names: (M,) the words that stand for the clients, in alphabetical order; empty where the
            file numbers them.
    """

    samples: list[str]
    clients: np.ndarray
    folds: list[str]
    lines: list[int]
    names: tuple[str, ...]

    @property
    def num_clients(self) -> int:
        """M; 0 where there is no row."""
        return int(self.clients.max()) + 1 if len(self.clients) else 0


def read_rows(path: Path) -> Rows:
    """Read the table of a split.

    No cell is quoted in an error: nobody knows what a person's own table holds.

    Raises:
        MedflError: the file is missing or malformed, with the line.
    """
    try:
        # Universal newlines, so that a row that ends in CRLF reads as any other.
        text = read_text(path, "utf-8-sig")
    except FileNotFoundError as error:
        raise MedflError(f"{path} does not exist: make it with `medfl split`.") from error
    except UnicodeDecodeError as error:
        raise MedflError(f"{path} is not a CSV file in UTF-8: save it as one.") from error
    except OSError as error:
        raise MedflError(f"{path} cannot be read ({error.strerror}).") from error
    head = text.partition("\n")[0]
    between = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=between, strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise MedflError(
            f"{path}, line {reader.line_num}: it is not a CSV file: save it as one."
        ) from error
    if any(header.count(name) != 1 for name in COLUMNS):
        raise MedflError(
            f"{path} must begin with a line that names its columns `{','.join(COLUMNS)}`, each "
            "once; others may stand beside them."
        )
    places = [header.index(name) for name in COLUMNS]
    samples: list[str] = []
    words: list[str] = []
    folds: list[str] = []
    lines: list[int] = []
    for line, row in rows:
        cells = [row[place].strip() if place < len(row) else "" for place in places]
        number = re.fullmatch(r"[0-9]{1,9}", cells[1]) is not None
        word = any(letter.isalpha() for letter in cells[1])
        if not cells[0] or not (number or word) or cells[2] not in FOLDS:
            raise MedflError(
                f"{path}, line {line}: expected sample, client (a number from 0, or a name) and "
                "train, val or test."
            )
        if words and number != words[0].isdecimal():
            raise MedflError(
                f"{path}, line {line}: its client is a {'number' if number else 'name'}, but that "
                f"of line {lines[0]} is not: number all clients from 0, or name them all."
            )
        samples.append(cells[0])
        words.append(cells[1])
        folds.append(cells[2])
        lines.append(line)
    clients, names = _numbered(path, words)
    return Rows(samples, clients, folds, lines, names)


def rows_of(
    path: Path, store: Store, allow_left_out: bool
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read the table of a split and put it into the order of its store.

    Args:
        path: the table.
        store: what it divides.
        allow_left_out: whether samples that it does not name are left out: client 0, no fold.

    Returns:
        (N,) int64 clients, (N,) folds, and the names of the clients, if they have any.

    Raises:
        MedflError: the table is malformed, or it is not of this store, with the reason.
    """
    table = read_rows(path)
    place = {name: row for row, name in enumerate(np.asarray(store.ids).tolist())}
    clients = np.full(len(place), -1, np.int64)
    folds = np.full(len(place), "", "<U5")
    rows = zip(table.samples, table.clients, table.folds, table.lines, strict=True)
    for sample, client, fold, line in rows:
        index = place.get(sample)
        if index is None:
            if is_pseudonym(sample) and is_pseudonym(str(store.ids[0])):
                raise MedflError(
                    f"{path}, line {line}: its sample is not in {store.path}: the split was made "
                    f"for other data, or with another key of pseudonyms. {bring_key(store.path)}"
                )
            raise MedflError(
                f"{path}, line {line}: its sample is not in {store.path}: the split was made for "
                "other data; make it again with `medfl split`."
            )
        if clients[index] >= 0:
            raise MedflError(f"{path}, line {line}: sample `{sample}` stands there twice.")
        clients[index], folds[index] = client, fold
    missing = np.flatnonzero(clients < 0)
    if not table.samples:
        raise MedflError(f"{path} holds no sample.")
    if len(missing) and not allow_left_out:
        raise MedflError(
            f"{path} lacks {len(missing)} of the {len(place)} samples of {store.path}, such as "
            f"`{store.ids[missing[0]]}`: the split was made for other data; make it again with "
            "`medfl split`, or leave these samples out with `allow_left_out: true`."
        )
    clients[missing] = 0
    pairs = set(zip(clients.tolist(), np.asarray(store.groups).tolist(), strict=True))
    if table.names and len(pairs) == len(table.names) > 1:
        raise MedflError(
            f"{path}: each client holds one group (patient), so its names may be patients': number "
            "the clients from 0, in a column `client`."
        )
    return clients, folds, table.names


def _numbered(path: Path, words: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n,) clients from 0, and their names."""
    if not words:
        return np.zeros(0, np.int64), ()
    if not words[0].isdecimal():
        _check_names(path, words)
        names, clients = np.unique(words, return_inverse=True)
        return clients.astype(np.int64), tuple(names.tolist())
    clients = np.array(words, np.int64)
    present = np.unique(clients)
    if len(present) != present[-1] + 1:
        gap = int((present != np.arange(len(present))).argmax())
        raise MedflError(
            f"{path}: client {gap} holds no sample, but one of a larger number does: number the "
            f"{len(present)} clients 0 to {len(present) - 1}, or give them names."
        )
    return clients, ()


def _check_names(path: Path, words: list[str]) -> None:
    """Refuse names of clients that mean that nobody knows, and those that look like one."""
    if unknown := sum(map(is_unknown, words)):
        raise MedflError(
            f"{path}: {unknown:,} samples have a client whose name means that nobody knows (such "
            "as NA), which is no hospital: name it, or leave these samples out."
        )
    if families := alike(words):
        raise MedflError(
            f"{path}: {sum(map(len, families)):,} names of clients look like {len(families):,} "
            "that are written in several ways (West, west): write each client's name alike."
        )
