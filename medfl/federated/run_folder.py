"""The folder of a run: whose it is, and whether the run in it is finished and whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import checkpoint
from medfl.federated.fingerprint import differences, fingerprint
from medfl.federated.log import log
from medfl.files import read_yaml
from medfl.results import paths
from medfl.results.intact import check_file
from medfl.results.record import DamagedRecordError, read_record
from medfl.results.schema import Record
from medfl.versions import Code


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


def finished_record(
    folder: Path, config: FederatedConfig, code: Code, inputs: Mapping[str, str], overwrite: bool
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


def clear(folder: Path, ours: bool) -> None:
    """Remove what an older run has left in a folder.

    Args:
        folder: the run's.
        ours: whether that was a run of the same configuration, whose checkpoint is gone on with.
    """
    # Where config.yaml is missing, no other run lies here. A checkpoint without it is this run's,
    # or its fingerprint keeps it from being resumed. So is one beside a finished run, which has
    # none itself: its files were put back by Snakemake when this run was stopped.
    names: tuple[str, ...] = (paths.RECORD, paths.PREDICTIONS)
    if not ours and (folder / paths.CONFIG).exists():
        names = (*paths.run_files(predictions=True), paths.LOG)
        names += () if (folder / paths.RECORD).exists() else checkpoint.FILES
    for name in names:
        (folder / name).unlink(missing_ok=True)
