"""Whether a finished run is the one that a grid asks for; its record says so itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medfl.config import FederatedConfig
from medfl.federated.code import run_code
from medfl.files import sha256_file
from medfl.results.record import origin_of
from medfl.store.store import noted_fingerprint
from medfl.versions import Code


def code_of_numbers(record: Path, code: Code) -> str:
    """What Snakemake compares: the code that a record is of, if ``code`` gives the same numbers.

    So a run that was made of edited sources is kept once these are stamped, as by `medfl run`.
    """
    made = origin_of(record)
    old = Code(str(made.get("code_sha")), made.get("results_versions"))
    return old.identity if made and code.same_numbers(old) else code.identity


def inputs_now(split: Path, store: Path) -> dict[str, str]:
    """What a run of this split and store would note of them, as far as they are there.

    Args:
        split: the table of the split.
        store: the folder of the prepared dataset.
    """
    found = {"split_sha256": sha256_file(split) if split.is_file() else None}
    found["store_fingerprint"] = noted_fingerprint(store)
    return {key: value for key, value in found.items() if value is not None}


def is_stale(record: Path, config: FederatedConfig, sha256: str, inputs: Mapping[str, str]) -> bool:
    """Whether a record is of other settings, split or data, or of code that gives other numbers.

    False where there is none, or it says nothing of where it comes from.

    Args:
        record: of a finished run.
        config: the run that is asked for.
        sha256: its ``fingerprint``.
        inputs: the hashes of its split and store, as ``inputs_now`` gives them.
    """
    made = origin_of(record)
    if "config_sha256" not in made:
        return False
    if any(made.get(key) != value for key, value in inputs.items()):
        return True
    code = Code(str(made.get("code_sha")), made.get("results_versions"))
    return made["config_sha256"] != sha256 or not run_code(config).same_numbers(code)
