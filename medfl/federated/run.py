"""One run from its configuration to its folder; the command `medfl run` is this."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medfl.chain import public_pixels
from medfl.config import FederatedConfig
from medfl.disclosure.cells import in_words
from medfl.disclosure.published_sets import minimum_cell
from medfl.errors import MedflError
from medfl.federated import checkpoint
from medfl.federated.client import FederatedClient
from medfl.federated.code import run_code
from medfl.federated.data import FederatedData
from medfl.federated.disk import DiskImages
from medfl.federated.fingerprint import differences, fingerprint, validated
from medfl.federated.hold_back import hold_back
from medfl.federated.log import log, log_to, progress_line
from medfl.federated.outcome import write_record
from medfl.federated.own_parts import guard
from medfl.federated.provenance import provenance
from medfl.federated.server import FederatedServer, choose_device
from medfl.federated.trainer import FederatedTrainer
from medfl.files import (
    OWN_HASH,
    is_whole,
    load_json,
    read_yaml,
    sha256_file,
    write_yaml,
)
from medfl.partition import Split, heterogeneity, parse_partition
from medfl.partition.place import sidecar
from medfl.partition.small_cells import MINIMUM_CELL, small_cells
from medfl.results import paths
from medfl.results.intact import check_file
from medfl.results.record import DamagedRecordError, as_dict, read_record
from medfl.results.schema import Record
from medfl.store import Store
from medfl.versions import Code


def execute(
    config: FederatedConfig,
    store_path: Path,
    split_path: Path,
    folder: Path,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Train one run and write its folder.

    Args:
        config: the run.
        store_path: the prepared dataset.
        split_path: the split file, with its heterogeneity record beside it.
        folder: the run folder. A run of the same configuration in it is resumed.
        overwrite: whether a run of another configuration in it is replaced.

    Returns:
        The content of metrics.json.

    Raises:
        MedflError: on bad input, or if the folder holds another run.
    """
    config = validated(config)
    minimum = minimum_cell(config.dataset, config.report.minimum_cell)
    store = Store.open(store_path)
    inputs = {
        "store_fingerprint": store.fingerprint(),
        "split_sha256": sha256_file(_existing(split_path)),
    }
    code = run_code(config)
    ours = check_folder(folder, config, overwrite)
    complete = _complete(folder, config, code, inputs, overwrite)
    if complete and (complete.minimum_cell or 0) <= max(minimum, 1):  # else it says too little
        hold_back_in(folder, config, store_path, split_path, minimum)
        return as_dict(read_record(folder / paths.RECORD))
    # All mistakes are found before anything is written and before an older run is removed.
    started = datetime.now(UTC).isoformat(timespec="seconds")
    device = choose_device(config.training.device)
    split = split_of_run(config, split_path, store)
    _check_split(split, config, split_path)
    measured = _heterogeneity(split_path, split, store, minimum) | split.divided.counts
    hidden = small_cells(split, store, minimum)
    training = config.training
    origin = provenance(config, device, code, inputs) | {"started": started}
    if split.left_out:
        origin["split_left_out"] = split.left_out
    # A checkpoint is resumed by the very same sources only: other ones may have the same results
    # version, and yet keep their state in another form.
    # Its worst clients are among those that are published.
    same = [fingerprint(config), code.sha, inputs] + [minimum] * (hidden is not None)
    key = json.dumps(same, sort_keys=True)
    rounds = config.federated_learning.rounds
    with guard(config):
        public = public_pixels(config.chain.links)
        data = FederatedData(store, split, device, training.images, training.memory_limit, public)
        server = FederatedServer(config, data)
        trainer = FederatedTrainer(
            config,
            server,
            [FederatedClient(client, data) for client in data.clients],
            checkpoint_dir=folder,
            fingerprint=hashlib.sha256(key.encode()).hexdigest(),
            unpublished=hidden.untested if hidden else (),
            on_round=lambda row: log.info(progress_line(row, rounds, trainer.primary)),
        )
    # Where config.yaml is missing, no other run lies here. A checkpoint without it is this run's,
    # or its fingerprint keeps it from being resumed.
    other = not ours and (folder / paths.CONFIG).exists()
    everything = (*paths.run_files(predictions=True), paths.LOG, checkpoint.NAME, checkpoint.ASIDE)
    _clear(folder, everything if other else (paths.RECORD, paths.PREDICTIONS))
    # An unwritable or full disk is noticed before the hours of training, not after.
    write_yaml(folder / paths.CONFIG, config.model_dump(mode="json"))
    with log_to(folder / paths.LOG), guard(config, folder / paths.LOG):
        log.info(
            "%s on %s, %s, seed %d: %d clients, %d rounds, %s with %d parameters, on %s",
            config.arm,
            config.dataset,
            config.partition,
            config.seed,
            len(data.clients),
            rounds,
            config.model.name,
            len(server.model.vector),
            origin["device"],
        )
        log.info("it minimises %s", server.objective)
        for line in split.divided.warnings(minimum):
            log.warning("%s", line)
        if split.left_out:
            few = in_words(split.left_out, minimum)
            log.warning("%s samples that the split does not name are left out", few)
        if hidden:
            log.info("no number of fewer than %d samples or patients is written", minimum)
        log.info("it trains: %s", server.work)
        if server.augmentation is not None:
            log.info("training images are augmented: %s", server.augmentation)
        if isinstance(data.images, DiskImages):
            log.info("images are read from the disk (%.1f GiB)", store.images.nbytes / 2**30)
        trainer.train()
        with trainer.saving.when_stopped():
            metrics = write_record(folder, trainer, measured, origin, hidden)
        log.info("%s after %d rounds, %.1f s", trainer.status, metrics["rounds"], trainer.seconds)
    checkpoint.remove(folder)
    return metrics


def split_of_run(config: FederatedConfig, path: Path, store: Store) -> Split:
    """Read the split of a run, and check it (``MedflError``)."""
    return Split.read(
        path,
        store,
        config.split.allow_divided_patients,
        usual=(config.partition, config.seed),
        allow_left_out=config.allow_left_out,
    )


def hold_back_in(
    folder: Path, config: FederatedConfig, store_path: Path, split_path: Path, minimum: int
) -> None:
    """Take numbers of fewer than ``minimum`` out of a finished run that has published them.

    A run of other data or of another split is left as it is: it is none of the grid's.

    Raises:
        MedflError: the record is damaged; or the data are not at hand, without which nobody knows
            what its numbers count.
    """
    record = read_record(folder / paths.RECORD)
    if minimum <= 1 or (record.minimum_cell or 0) >= minimum:
        return
    if not store_path.is_dir():
        raise MedflError(
            f"{folder} publishes counts of fewer than {minimum}, and the store {store_path}, which "
            "is needed to take them out, is not there: make it with `medfl prepare`."
        )
    store = Store.open(store_path)
    inputs = {
        "store_fingerprint": store.fingerprint(),
        "split_sha256": sha256_file(_existing(split_path)),
    }
    if any(record.provenance.get(key) != value for key, value in inputs.items()):
        return
    hidden = small_cells(split_of_run(config, split_path, store), store, minimum)
    if hidden:
        hold_back(folder, record, hidden)


def _existing(split_path: Path) -> Path:
    if not split_path.is_file():
        raise MedflError(f"{split_path} does not exist: make it with `medfl split`.")
    return split_path


def check_folder(folder: Path, config: FederatedConfig, overwrite: bool = False) -> bool:
    """Refuse a folder that holds anything but a run of this configuration (``MedflError``).

    Args:
        folder: where the run shall lie.
        config: the run.
        overwrite: whether a run of another configuration in it may be replaced.

    Returns:
        Whether a run of this configuration lies in the folder, finished or not.
    """
    description = folder / paths.CONFIG
    if not description.exists():
        # Snakemake leaves weights and log alone of a run that is to be made again.
        if any(folder.glob("*.csv")) or (folder / paths.RECORD).exists():
            raise MedflError(f"{folder} holds files that are not a run's: choose another folder.")
        return False
    try:
        found = differences(FederatedConfig.model_validate(read_yaml(description)), config)
        if not found:
            return True
        problem = f"{folder} holds a run of another configuration ({'; '.join(found[:4])})."
    except ValidationError:
        problem = f"{description} does not describe a run."
    except MedflError as error:
        problem = str(error)
    if not overwrite:
        raise MedflError(f"{problem} Choose another folder, or replace that run with --overwrite.")
    return False


def _complete(
    folder: Path, config: FederatedConfig, code: Code, inputs: dict[str, str], overwrite: bool
) -> Record | None:
    """The record of this very run if it is finished and all its files are there, else None."""
    try:
        record = read_record(folder / paths.RECORD)
    except DamagedRecordError:
        return None
    except MedflError:  # a newer medfl wrote it: it is kept, unless it may be replaced
        if overwrite:
            return None
        raise
    origin = record.provenance
    if origin.get("config_sha256") != fingerprint(config):
        return None
    changed = [key for key, value in inputs.items() if origin.get(key) != value]
    old = Code(str(origin.get("code_sha")), origin.get("results_versions"))
    if not code.same_numbers(old):
        changed.insert(0, f"code: {old.identity}, now {code.identity}")
    if not changed:
        return record if _whole(folder, record, config.keep.predictions) else None
    if overwrite:
        return None
    raise MedflError(
        f"{folder} holds a run of this configuration with other code or data "
        f"({'; '.join(changed)}). Choose another folder, or replace that run with --overwrite."
    )


def _whole(folder: Path, record: Record, predictions: bool) -> bool:
    """Whether all files of a finished run are there, as it wrote them."""
    names = paths.run_files(predictions)
    if not all((folder / name).is_file() for name in names):
        return False
    try:
        for name in names:
            check_file(folder, name, record)
    except MedflError as error:
        log.warning("%s The run is made again.", error)
        return False
    return True


def _check_split(split: Split, config: FederatedConfig, path: Path) -> None:
    """Refuse a split that was made for another run than this."""
    clients = config.federated_learning.num_clients
    if parse_partition(split.partition).natural:
        clients = None
    pairs = [
        ("partition", split.partition, config.partition),
        # Several seeds may share a person's split.
        ("seed", split.seed, split.seed if config.split_file else config.seed),
        ("num_clients", split.num_clients, clients or split.num_clients),
    ]
    for key, there, wanted in pairs:
        if there != wanted:
            raise MedflError(
                f"{path} was made with {key} {there}, but the run has {wanted}: give the run {key} "
                f"{there}, or make the split again with `medfl split`."
            )


def _clear(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _heterogeneity(path: Path, split: Split, store: Store, minimum: int) -> dict[str, Any]:
    """The record beside a split, where it is whole and of this split and these data.

    Else how unlike the clients are is measured anew: a record of an older medfl may be of any.
    """
    try:
        record = load_json(sidecar(path))
    except FileNotFoundError:
        return heterogeneity(split, store)
    except (OSError, ValueError):
        record = None
    ours = {"split_sha256": sha256_file(path), "store_fingerprint": store.fingerprint()}
    if isinstance(record, dict) and ours.items() <= record.items() and is_whole(record):
        if (record.get(MINIMUM_CELL) or 0) > max(minimum, 1):  # it says less than is asked for
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
