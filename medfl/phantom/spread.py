"""Simulate patients in several processes: in threads Python would do it one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from medfl.errors import MedflError
from medfl.files.parallel import cpu_count

Write = Callable[[Path, int, int], Any]
"""Writes the files of a patient (the folder, the seed, which one); what it says of them is JSON."""

FEWEST = 50  # patients take a second, and another process half of one to start


def simulated(
    write: Write, folder: Path, seed: int, patients: int, processes: int | None = None
) -> list[Any]:
    """Call ``write``, a public function of a module, for each patient.

    Args:
        write: what writes a patient, whatever the others are.
        folder: where to.
        seed: of all patients.
        patients: how many there are.
        processes: how many share the work, to the same files; else one for each core, where there
            are enough patients.

    Returns:
        What ``write`` said of each patient, in order.

    Raises:
        MedflError: a process beside this one has ended by itself.
    """
    from tqdm import tqdm

    if processes is None:
        processes = cpu_count() if patients >= FEWEST else 1
    with closing(_spread(write, folder, seed, patients, processes)) as written:
        shown = tqdm(
            written,
            "simulating",
            total=patients,
            file=sys.stderr,
            unit="patient",
            mininterval=0.5,
        )
        return list(shown)


def _spread(
    write: Write, folder: Path, seed: int, patients: int, processes: int
) -> Generator[Any, None, None]:
    if processes == 1:
        yield from (write(folder, seed, number) for number in range(patients))
        return
    # No module of the caller's is imported, as `multiprocessing` would: it may be a script.
    code = f"import sys; from {__name__} import write_share; write_share(*sys.argv[1:])"
    what = [write.__module__, write.__qualname__, str(folder), str(seed)]
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    beside: list[subprocess.Popen[str]] = []
    try:
        for first in range(processes):
            share = map(str, (first, patients, processes))
            one = subprocess.Popen(
                [sys.executable, "-P", "-c", code, *what, *share],
                env={**os.environ, "PYTHONPATH": paths},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for this process, which then ends them
            )
            beside.append(one)
        for number in range(patients):
            process = beside[number % processes]
            line = process.stdout.readline() if process.stdout else ""
            if not line.endswith("\n"):
                raise MedflError(
                    f"a process that simulates patients beside this one has ended with status "
                    f"{process.wait()}, perhaps for want of memory: give the same command again."
                )
            yield json.loads(line)
    finally:
        for process in beside:
            process.kill()
            with process:  # waits for it
                pass


def write_share(
    module: str, function: str, folder: str, seed: str, first: str, patients: str, step: str
) -> None:
    """Be such a process: write every ``step``-th patient, and print the rows of each on a line."""
    write: Write = getattr(import_module(module), function)
    with suppress(BrokenPipeError):  # nobody waits for it any more
        for number in range(int(first), int(patients), int(step)):
            print(json.dumps(write(Path(folder), int(seed), number)), flush=True)
