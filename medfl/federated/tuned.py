"""What a run's record says of the search that its tuned values come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.files import OWN_HASH, own_hash, write_json
from medfl.results import paths
from medfl.results.record import as_dict
from medfl.results.schema import Record

Tuning = tuple[str, Mapping[str, Any]]
"""The SHA-256 of the file that a run's tuned values come from, and the search that is in it."""

DATA = {"store": "store_fingerprint", "split": "split_sha256"}
"""What a search was on, as it notes it → the same in the provenance of runs."""


def check_search(config: FederatedConfig, inputs: Mapping[str, str], tuning: Tuning) -> None:
    """Refuse values that were chosen on other data than a run's, or on another split of its seed.

    Raises:
        MedflError: says which of the two differs.
    """
    found = tuning[1]["data"]
    same_seed = tuning[1]["folds_of_seed"] == config.folds_seed
    for name, key in DATA.items():
        if found[name] != inputs[key] and (name == "store" or same_seed):
            raise MedflError(
                f"the values of this run were chosen on another {name} than it is trained on "
                f"(SHA-256 {found[name][:12]}…, now {inputs[key][:12]}…): train the points of its "
                "search again and choose with `medfl choose`, or all with `snakemake tuning`."
            )


def origin_of_values(tuning: Tuning | None) -> dict[str, Any]:
    """What the provenance of a run has of the search for its values; nothing of an untuned run."""
    return {} if tuning is None else {"tuned_sha256": tuning[0], "tuning": dict(tuning[1])}


def note_search(folder: Path, record: Record, tuning: Tuning | None) -> None:
    """Let a finished run say which search its values are from, where that is another by now.

    No number changes: they follow from the values, and these are the same.
    """
    old = record.provenance
    new = {key: value for key, value in old.items() if key not in ("tuned_sha256", "tuning")}
    new |= origin_of_values(tuning)
    if new != old:
        content = as_dict(record) | {"provenance": new}
        content[OWN_HASH] = own_hash(content)
        write_json(folder / paths.RECORD, content)
