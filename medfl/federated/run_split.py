"""The split of a run, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.log import log
from medfl.files import OWN_HASH, is_whole, load_json, sha256_file
from medfl.files.regular import lack
from medfl.partition import Split, heterogeneity, parse_partition
from medfl.partition.place import sidecar
from medfl.partition.small_cells import MINIMUM_CELL
from medfl.store import Store


def run_inputs(store: Store, split_path: Path) -> dict[str, str]:
    """The hashes of what a run reads (``MedflError`` where there is no split)."""
    if not split_path.is_file():
        raise MedflError(f"{split_path} {lack(split_path)}: make it with `medfl split`.")
    return {"store_fingerprint": store.fingerprint(), "split_sha256": sha256_file(split_path)}


def split_of_run(config: FederatedConfig, path: Path, store: Store) -> Split:
    """Read the split of a run, and check it (``MedflError``)."""
    split = Split.read(
        path,
        store,
        config.split.allow_divided_patients,
        usual=(config.partition, config.folds_seed),
        allow_left_out=config.allow_left_out,
    )
    _check_split(split, config, path)
    return split


def _check_split(split: Split, config: FederatedConfig, path: Path) -> None:
    """Refuse a split that was made for another run than this."""
    clients = config.federated_learning.num_clients
    if parse_partition(split.partition).natural:
        clients = None
    pairs = [
        ("partition", split.partition, config.partition),
        # Several seeds may share a person's split.
        ("seed", split.seed, split.seed if config.split_file else config.folds_seed),
        ("num_clients", split.num_clients, clients or split.num_clients),
    ]
    for key, there, wanted in pairs:
        if there != wanted:
            raise MedflError(
                f"{path} was made with {key} {there}, but the run has {wanted}: give the run {key} "
                f"{there}, or make the split again with `medfl split`."
            )


def split_heterogeneity(path: Path, split: Split, store: Store, minimum: int) -> dict[str, Any]:
    """The record beside a split, where it is whole and of this split and these data.

    Else how unlike the clients are is measured anew: a record of an older medfl may be of any.
    """
    try:
        record = load_json(sidecar(path))
    except FileNotFoundError:
        return heterogeneity(split, store)
    except (OSError, ValueError):
        record = None
    ours = run_inputs(store, path)
    if isinstance(record, dict) and ours.items() <= record.items() and is_whole(record):
        least = record.get(MINIMUM_CELL)
        if isinstance(least, int) and least > max(minimum, 1):  # it says less than is asked for
            return heterogeneity(split, store) | ours
        return {key: record[key] for key in record if key not in (OWN_HASH, MINIMUM_CELL)}
    if not isinstance(record, dict) or "split_sha256" in record:
        log.warning(
            "%s is damaged, or of another split than %s, or of other data. How unlike the clients "
            "are is measured anew for this run; `medfl split` makes both anew.",
            sidecar(path),
            path.name,
        )
    return heterogeneity(split, store) | ours
