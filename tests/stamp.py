"""`make stamp`: write down which sources the golden test has passed on (medfl/stamp.json)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from golden_history import REGISTRIES

from medfl.federated import code as runs
from medfl.files import write_json
from medfl.partition import code as splits
from medfl.sources import hashes
from medfl.versions import STAMP, read_stamp


def sources() -> dict[str, str]:
    """Module → SHA-256 of its file, for all that a run or a split may come from."""
    named = [registry.sources(name) for registry in REGISTRIES for name in registry]
    return hashes([*runs.ROOTS, *splits.ROOTS, *(m for found in named for m in found.modules)])


def edited() -> list[str]:
    """The modules that are not as the stamp has them, were added, or are there no longer."""
    stamp, now = read_stamp(), sources()
    return sorted(name for name in stamp.keys() | now.keys() if stamp.get(name) != now.get(name))


def main() -> str | None:
    """Run the golden test and stamp; what stands against it, or None."""
    before = sources()
    test = Path(__file__).with_name("test_golden.py")
    if subprocess.run([sys.executable, "-m", "pytest", str(test)]).returncode:
        return (
            "Not stamped: the golden test fails (`make golden` is for numbers changed on purpose)."
        )
    if before != sources():
        return "Not stamped: sources were edited while the golden test ran. Run it again."
    write_json(STAMP, dict(sorted(before.items())))
    print(f"{len(before)} sources stamped.")
    return None


if __name__ == "__main__":
    sys.exit(main())
