"""`make stamp`: write down which sources the golden test has passed on (medfl/stamp.json)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from medfl.algorithms.registry import ALGORITHMS
from medfl.chain.registry import LINKS, RULES
from medfl.federated import code as runs
from medfl.files import write_json
from medfl.models.registry import MODELS
from medfl.partition import code as splits
from medfl.partition.registry import PARTITIONS
from medfl.sources import forget, hashes
from medfl.versions import STAMP, read_stamp

REGISTRIES = (ALGORITHMS, MODELS, PARTITIONS, LINKS, RULES)
"""What a configuration names and what decides numbers."""
TESTS = ("test_golden.py", "test_results_versions.py")


def sources() -> dict[str, str]:
    """Module → SHA-256 of its file, for all that a run or a split may come from."""
    forget()
    named = [registry.sources(name) for registry in REGISTRIES for name in registry]
    return hashes([*runs.ROOTS, *splits.ROOTS, *(m for found in named for m in found.modules)])


def edited() -> list[str]:
    """The modules that are not as the stamp has them, were added, or are there no longer."""
    stamp, now = read_stamp(), sources()
    return sorted(name for name in stamp.keys() | now.keys() if stamp.get(name) != now.get(name))


def write(content: dict[str, str]) -> None:
    """Write the stamp."""
    write_json(STAMP, dict(sorted(content.items())))


def stamp_copy(folder: Path) -> None:
    """Stamp a copy of the package, which lies in ``folder``, as `make stamp` would there."""
    path = os.pathsep.join([str(folder), str(Path(__file__).parent)])
    command = [sys.executable, "-c", "import stamp; stamp.write(stamp.sources())"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=True)


def main() -> str | None:
    """Run the golden test and stamp; what stands against it, or None."""
    before = sources()
    tests = [str(Path(__file__).with_name(name)) for name in TESTS]
    # With -m the slow ones run, too.
    if subprocess.run([sys.executable, "-m", "pytest", "-m", "", *tests]).returncode:
        return "Not stamped: the golden test fails. (`make golden` takes numbers that are meant.)"
    if before != sources():
        return "Not stamped: sources were edited while the golden test ran. Run it again."
    write(before)
    print(f"{len(before)} sources stamped.")
    return None


if __name__ == "__main__":
    sys.exit(main())
