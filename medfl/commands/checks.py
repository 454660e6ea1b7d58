"""Whether a store, a split or a run is what was written: what `medfl verify` asks of each.

Each check gives ``INTACT``, or a sentence on why that cannot be known, and raises a ``MedflError``
where something is damaged. Nothing that a person's data say is repeated in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.results.schema import Record

INTACT = "intact"
OLDER = "made by an older medfl: nothing to compare with"

Read = Callable[[Path], str]
"""Reads a file wholly and gives its SHA-256."""


def check_store(path: Path, read: Read) -> str:
    """Compare a store's images, table and description; see ``INTACT``."""
    from medfl.files import OWN_HASH, is_whole, read_yaml
    from medfl.store import Store
    from medfl.store.info import from_plain
    from medfl.store.store import DATASET, IMAGES, SAMPLES, fingerprint_of

    if all((path / name).is_file() for name in (DATASET, IMAGES, SAMPLES)):
        whole = True
        try:
            content = read_yaml(path / DATASET)
            info = from_plain(content)
            whole = is_whole(content)
        except ValueError:
            info = None  # what opens it says what is wrong
        except MedflError as error:
            again = f"Make it again with `medfl prepare {path.name} --force`."
            raise MedflError(f"{error}. {again}") from error
        # The table first: it takes no time.
        same = info is not None and info.store_sha256 == fingerprint_of(path / SAMPLES, info)
        if info and same and read(path / IMAGES) == info.images_sha256:
            if not whole:
                raise MedflError(
                    f"{path / DATASET} was edited, in what it tells of the data (title, notes, "
                    "whether they are synthetic or have undecided patients). Put the right one "
                    f"back, or make the store again with `medfl prepare {path.name} --force`."
                )
            if OWN_HASH not in content:
                return f"intact but for the words in {DATASET}, of which an older medfl has no hash"
            return INTACT
    store = Store.open(path)
    if not store.info.images_sha256:
        return OLDER
    store.verify()
    return f"{OLDER}, but for its images, which are intact"


def check_split(path: Path, read: Read) -> str:
    """Compare the table of a split with the record beside it; see ``INTACT``."""
    from medfl.files import OWN_HASH, is_whole, load_json
    from medfl.partition.place import sidecar

    beside = sidecar(path)
    if not path.is_file():
        raise MedflError(f"the table is missing beside {beside.name}. {_again(path)}")
    if not os.path.lexists(beside):
        return (
            "there is no record beside it, as beside a split of your own: nothing to compare with"
        )
    try:
        record = load_json(beside)
    except (OSError, ValueError):  # a folder or a link to itself, too
        record = None
    if not isinstance(record, dict):
        raise MedflError(f"{beside} cannot be read. {_again(path)}")
    known = record.get("split_sha256")
    if known is None:
        return OLDER
    if not is_whole(record):
        raise MedflError(f"{beside} is damaged or was edited. {_again(path)}")
    if read(path) != known:
        raise MedflError(
            f"the SHA-256 of {path.name} is not the one that {beside.name} has; one of the two is "
            f"damaged or was edited. {_again(path)}"
        )
    if OWN_HASH not in record:
        return f"intact but for {beside.name}, of which an older medfl kept no hash"
    return INTACT


def _again(path: Path) -> str:
    return f"Put the right one back, or delete both {path.stem}.* and make the split again."


def check_run(folder: Path, read: Read) -> str:
    """Compare the files of a run with its record; see ``INTACT``."""
    from medfl.results import paths
    from medfl.results.intact import check_file
    from medfl.results.record import AGAIN, DamagedRecordError, read_record

    if not os.path.lexists(folder / paths.RECORD):
        return f"not finished: it has no {paths.RECORD} to compare with"
    try:
        record = read_record(folder / paths.RECORD)
    except DamagedRecordError:
        raise
    except MedflError as error:  # of a newer medfl
        return str(error)
    if not record.files:
        return OLDER
    for name, known in record.files.items():
        if not (folder / name).is_file():
            raise MedflError(f"{folder / name} is missing. Put it back, or {AGAIN}")
        if read(folder / name) != known:
            check_file(folder, name, record)
    words = _check_config(folder / paths.CONFIG, record)
    if words == INTACT and record.record_sha256 is None:
        return f"intact but for {paths.RECORD}, of which an older medfl kept no hash"
    return words


def _check_config(path: Path, record: Record) -> str:
    """Compare a run's configuration, which its record knows by its meaning."""
    from pydantic import ValidationError

    from medfl.config import FederatedConfig
    from medfl.federated.fingerprint import fingerprint
    from medfl.files import read_yaml
    from medfl.results.record import AGAIN

    mend = f"Put the right one back, or {AGAIN}"
    known = record.provenance.get("config_sha256")
    if known is None:
        return OLDER
    try:
        config = FederatedConfig.model_validate(read_yaml(path))
    except (ValidationError, MedflError) as error:
        raise MedflError(f"{path} does not describe a run. {mend}") from error
    chain = config.chain
    named = (config.federated_learning.algorithm, chain.rule, *chain.links)
    try:
        same = fingerprint(config) == known
    except MedflError as error:
        if any(":" in name for name in named):  # a person's own class may be elsewhere
            return f"intact but for {path.name}, which cannot be compared: {error}"
        raise MedflError(f"{path} is damaged or was edited ({error}). {mend}") from error
    if not same:
        raise MedflError(
            f"{path} is damaged or was edited: its settings are not those that the record has. "
            f"{mend}"
        )
    return INTACT


def check_choice(path: Path, read: Read, again: Callable[[], dict[str, Any]] | None = None) -> str:
    """Compare what was chosen with the hash in its file, and with its points; see ``INTACT``.

    Args:
        path: the file.
        read: not used: it is small.
        again: chooses among the points that lie there; without it these are not looked at.
    """
    from medfl.files import OWN_HASH, is_whole, load_json

    mend = "Put the right one back, or make it again with `medfl choose`."
    try:
        content = load_json(path)
    except ValueError:
        content = None
    if not isinstance(content, dict) or not is_whole(content):
        raise MedflError(f"{path} is damaged or was edited. {mend}")
    try:
        found = again() if again else None
    except MedflError as error:
        return f"intact but for its points, with which it cannot be compared: {error}"
    content.pop(OWN_HASH, None)
    if found not in (None, content):
        raise MedflError(f"{path} is not what its points say. {mend}")
    return INTACT
