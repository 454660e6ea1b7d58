"""Whether a finished run is the one that a grid asks for; its record says so itself."""

from __future__ import annotations

from pathlib import Path

from medfl.config import FederatedConfig
from medfl.federated.code import run_code
from medfl.federated.fingerprint import fingerprint
from medfl.files import sha256_file
from medfl.results.record import origin_of
from medfl.versions import Code


def code_of_numbers(record: Path, code: Code) -> str:
    """What Snakemake compares: the code that a record is of, if ``code`` gives the same numbers.

    So a run that was made of edited sources is kept once these are stamped, as by `medfl run`.
    """
    made = origin_of(record)
    old = Code(str(made.get("code_sha")), made.get("results_versions"))
    return old.identity if made and code.same_numbers(old) else code.identity


def is_stale(record: Path, config: FederatedConfig, given: Path | None = None) -> bool:
    """Whether a record is of other settings, or of code that gives other numbers.

    False where there is none, or it says nothing of where it comes from.

    Args:
        record: of a finished run.
        config: the run that is asked for.
        given: the split that a person gave for it; it counts by its content.
    """
    made = origin_of(record)
    if "config_sha256" not in made:
        return False
    code = Code(str(made.get("code_sha")), made.get("results_versions"))
    if given is not None and made.get("split_sha256") != sha256_file(given):
        return True
    return made["config_sha256"] != fingerprint(config) or not run_code(config).same_numbers(code)
