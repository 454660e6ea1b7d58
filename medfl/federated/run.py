"""One run from its configuration to its folder; the command `medfl run` is this."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medfl.algorithms.precision import naming_large_numbers
from medfl.chain import public_pixels
from medfl.config import FederatedConfig
from medfl.disclosure.cells import in_words
from medfl.disclosure.published_sets import minimum_cell
from medfl.federated import checkpoint
from medfl.federated.client import FederatedClient
from medfl.federated.code import run_code
from medfl.federated.data import FederatedData
from medfl.federated.device import choose_device
from medfl.federated.disk import DiskImages
from medfl.federated.fingerprint import fingerprint, validated
from medfl.federated.hold_back import hold_back_in
from medfl.federated.log import log, log_to
from medfl.federated.outcome import RoundsSoFar, write_record
from medfl.federated.own_parts import Home, guard, own_parts
from medfl.federated.provenance import provenance
from medfl.federated.root import with_root_set
from medfl.federated.run_folder import check_folder, clear, finished_record
from medfl.federated.run_split import run_inputs, split_heterogeneity, split_of_run
from medfl.federated.server import FederatedServer
from medfl.federated.trainer import FederatedTrainer
from medfl.federated.tuned import Tuning, check_search, note_search, origin_of_values
from medfl.federated.unseen import WORDS, unseen_by
from medfl.files import (
    write_yaml,
)
from medfl.partition.small_cells import small_cells
from medfl.results import paths
from medfl.results.record import as_dict, read_record
from medfl.robustness.record import attacks_that_are_none
from medfl.store import Store


def execute(
    config: FederatedConfig,
    store_path: Path,
    split_path: Path,
    folder: Path,
    *,
    overwrite: bool = False,
    cores: int | None = None,
    tuning: Tuning | None = None,
) -> dict[str, Any]:
    """Train one run and write its folder.

    Args:
        config: the run.
        store_path: the prepared dataset.
        split_path: the split file, with its heterogeneity record beside it.
        folder: the run folder. A run of the same configuration in it is resumed.
        overwrite: whether a run of another configuration in it is replaced.
        cores: how many processors it may use; by default all that this process may.
        tuning: where its tuned values come from, for the record. A finished run of these values
            stays, and only notes that they were chosen anew.

    Returns:
        The content of metrics.json.

    Raises:
        MedflError: on bad input, or if the folder holds another run.
    """
    config = validated(config)
    minimum = minimum_cell(config.dataset, config.report.minimum_cell)
    store = Store.open(store_path)
    inputs = run_inputs(store, split_path)
    if tuning:
        check_search(config, inputs, tuning)
    code = run_code(config)
    ours = check_folder(folder, config, overwrite)
    complete = finished_record(folder, config, code, inputs, overwrite)
    if complete and (complete.minimum_cell or 0) <= max(minimum, 1):  # else it says too little
        checkpoint.remove(folder)  # killed between its record and this, it has left one
        note_search(folder, complete, tuning)
        hold_back_in(folder, config, store_path, split_path, minimum)
        return as_dict(read_record(folder / paths.RECORD))
    # All mistakes are found before anything is written and before an older run is removed.
    started = datetime.now(UTC).isoformat(timespec="seconds")
    device = choose_device(config.training.device)
    split = split_of_run(config, split_path, store)
    measured = split_heterogeneity(split_path, split, store, minimum) | split.divided.counts
    hidden = small_cells(split, store, minimum)
    training = config.training
    origin = provenance(config, device, code, inputs) | {"started": started}
    origin |= origin_of_values(tuning)
    if split.left_out:
        origin["split_left_out"] = split.left_out
    # A checkpoint is resumed by the very same sources only: other ones may have the same results
    # version, and yet keep their state in another form. Its worst clients are among those that are
    # published.
    same = [fingerprint(config), code.sha, inputs] + [minimum] * (hidden is not None)
    key = json.dumps(same, sort_keys=True)
    rounds = config.federated_learning.rounds
    home = Home()
    with guard(config):
        public = public_pixels(config.chain.links)
        dealt = with_root_set(split, store.groups, config)
        data = FederatedData(store, dealt, device, training.images, training.memory_limit, public)
        server = FederatedServer(config, data)
        trainer = FederatedTrainer(
            config,
            server,
            [FederatedClient(client, data) for client in data.clients],
            checkpoint_dir=folder,
            fingerprint=hashlib.sha256(key.encode()).hexdigest(),
            unpublished=hidden.untested if hidden else (),
            cores=cores,
        )
        trainer.own_code = bool(own_parts(config))
        so_far = RoundsSoFar(folder, trainer, hidden)
        home.check()

        def on_round(row: dict[str, Any]) -> None:
            home.check()
            so_far(row)

        trainer.on_round = on_round
    clear(folder, ours)
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
        if split.unseen:
            names = [split.client_names[k] if split.client_names else str(k) for k in split.unseen]
            log.info(
                "never seen: %s, which takes no part in training and is judged by the %s",
                " and ".join(names),
                WORDS[unseen_by(server)],
            )
        if split.left_out:
            few = in_words(split.left_out, minimum)
            log.warning("%s samples that the split does not name are left out", few)
        if hidden:
            log.info("no number of fewer than %d samples or patients is written", minimum)
        if hidden and hidden.tests:
            log.warning("those are all tests of this run: no metric on test samples is written")
        log.info("it trains: %s", server.work)
        if server.chain.rule.note:
            log.info("%s", server.chain.rule.note)
        if nobody := attacks_that_are_none(server):
            log.warning("%s", nobody)
        if server.augmentation is not None:
            log.info("training images are augmented: %s", server.augmentation)
        if isinstance(data.images, DiskImages):
            log.info("images are read from the disk (%.1f GiB)", store.images.nbytes / 2**30)
        with naming_large_numbers(config):
            trainer.train()
        home.check()
        with trainer.saving.when_stopped():
            metrics = write_record(folder, trainer, measured, origin, hidden, home.check)
        log.info("%s after %d rounds, %.1f s", trainer.status, metrics["rounds"], trainer.seconds)
    checkpoint.remove(folder)
    return metrics
