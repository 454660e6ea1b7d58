"""Compares peak memory: a run with a plain PyTorch loop, 1,000 clients with 10, workers with one.

Each peak is that of a process of its own. A run is `medfl run` from its first line to its record,
evaluation and checkpoints included; the loop only trains. Where workers take part it is that of all
processes of the run together, in which memory that they share counts once.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.federations import equal_split, random_store
from benchmarks.timing import Result, child, environment
from medfl.federated.usage import peak_memory
from medfl.files import load_json, write_json
from medfl.store import Store

PICTURE, SPARE = 28, 600  # pixels of a side; images to judge by
FEW, MANY, OF_ALL = 10, 1000, 4000  # clients, and images that all of them train on
BATCH, LEARNING_RATE = 32, 0.01
MIB = 2**20
STEPS = 8  # of a plain process: what it has freed and keeps has grown by then
EVERY = 0.02  # seconds between two looks at the memory of all processes

# Network → clients, and steps of each in a round: a loop that trains longer needs no more memory.
PLAIN = {"cnn": (10, 8), "resnet18": (10, 1)}
# Where a run keeps the states of 1,000 clients, and the target.
STATES: tuple[tuple[str, str, float | None], ...] = (
    ("fedavg", "auto", 1.1),
    ("scaffold", "disk", 1.1),
    ("scaffold", "memory", None),
)


def run(pairs: int) -> Iterator[Result]:
    """Measure all three."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from plain(folder, pairs)
        yield from clients(folder, pairs)
        yield from workers(folder, pairs)


def plain(folder: Path, pairs: int) -> Iterator[Result]:
    """One worker's peak ÷ that of the plain loop of ``benchmarks/rounds.py``."""
    empty = peak("nothing")
    for model, (several, steps) in PLAIN.items():
        train = several * steps * BATCH
        store = stored(folder, train + SPARE)
        loop = [peak("loop", str(store), model, str(train)) for _ in range(pairs)]
        settings = {"model": model, "batch_size": BATCH, "local_steps": steps}
        ours = [peak_of_run(folder, store, several, train, **settings) for _ in range(pairs)]
        yield ratio(f"peak memory, run ÷ plain loop, {model}", ours, loop, 1.1)
        above = [[one - empty for one in some] for some in (ours, loop)]
        name = f"peak memory above import torch, run ÷ plain loop, {model}"
        yield ratio(name, above[0], above[1], 1.1)


def clients(folder: Path, pairs: int) -> Iterator[Result]:
    """1,000 clients ÷ 10 that hold the same images; each takes one step."""
    store = stored(folder, OF_ALL + 2 * MANY)
    for algorithm, where, target in STATES:
        settings = {"algorithm": algorithm, "client_state": where, "batch_size": 4}
        many, few = (
            [peak_of_run(folder, store, number, OF_ALL, **settings) for _ in range(pairs)]
            for number in (MANY, FEW)
        )
        words = "" if where == "auto" else f", states: {where}"
        yield ratio(f"peak memory, {MANY} ÷ {FEW} clients, {algorithm}{words}", many, few, target)


def workers(folder: Path, pairs: int) -> Iterator[Result]:
    """Several workers ÷ one; and as many plain processes that share all of ``import torch``.

    These can do nothing but take steps: they send no model and evaluate none. So they are the limit
    of processes that train side by side.
    """
    store = stored(folder, OF_ALL + SPARE)
    empty = peak("together", "nothing")
    for model in PLAIN:
        step = [peak("step", str(store), model) for _ in range(pairs)]
        settings = {"model": model, "batch_size": BATCH, "local_steps": 4}

        def peaks(number: int, settings: Any = settings) -> list[int]:
            given = {**settings, "workers": number}
            several = (
                peak_of_run(folder, store, FEW, OF_ALL, together=True, **given)
                for _ in range(pairs)
            )
            return list(several)

        one = peaks(1)
        for number in (2, 4):
            several = peaks(number)
            name = f"peak memory, {number} workers ÷ one, {model}"
            yield ratio(name, several, one, 1 + 0.3 * (number - 1))
            plain = [empty + number * own for own in step]
            yield ratio(f"peak memory, {number} plain processes ÷ one worker, {model}", plain, one)


def ratio(name: str, ours: list[int], others: list[int], target: float | None = None) -> Result:
    """Peaks side by side, in bytes."""
    both = list(zip(ours, others, strict=True))
    middle = [statistics.median(some) / MIB for some in (ours, others)]
    note = f"{middle[0]:.0f} / {middle[1]:.0f} MiB"
    return Result(name, [mine / other for mine, other in both], target, note=note)


def stored(folder: Path, samples: int) -> Path:
    """A store of so many random images, which is made once."""
    path = folder / "prepared" / f"random-{samples}"
    if not path.exists():
        random_store(path, samples, PICTURE)
    return path


def peak_of_run(
    folder: Path, store: Path, number: int, train: int, together: bool = False, **settings: Any
) -> int:
    """The peak of a run of two rounds in which ``number`` clients train on ``train`` images.

    With ``together`` it is that of all its processes.
    """
    split = folder / f"{store.name}-{number}-{train}.csv"
    if not split.exists():
        equal_split(Store.open(store), number, train // number).write(split)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        given = Path(place, "settings.json")
        write_json(given, {"dataset": store.name, "num_clients": number, **settings})
        how = ["together"] * together
        return peak(*how, "run", str(store), str(split), str(given), str(Path(place, "run")))


def peak(*words: str) -> int:
    """The most bytes that a process of its own holds that does as these words say."""
    command = [sys.executable, "-m", "benchmarks.memory", *words]
    return int(child(command, env=environment())[1].split()[-1])


class Together:
    """Looks every few milliseconds at what this process and all that it forks hold together.

    Attributes:
        most: the most bytes so far.
    """

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Together:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        before: list[int] = []
        over = False
        while not over:
            over = self._over.wait(EVERY)  # one more look in the end
            now = children()
            # One that has just begun another program may still be in this process's own memory.
            forked = [one for one in now if one in before]
            self.most = max(self.most, sum(map(proportional, [os.getpid(), *forked])))
            before = now


def children() -> list[int]:
    """The processes that this one has forked."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def proportional(process: int) -> int:
    """Bytes of a process, of what n processes share the nth part; 0 once it has gone."""
    with suppress(OSError, IndexError):
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
        return 1024 * int(text.split("Pss:")[1].split()[0])
    return 0


def train_plainly(path: Path, model: str, train: int) -> None:
    """Take two epochs over the first ``train`` images, all of which are read into memory."""
    import numpy as np
    import torch

    from benchmarks.rounds import plain_loop
    from medfl.models import build_model

    torch.set_num_threads(1)
    store = Store.open(path)
    images = torch.from_numpy(np.load(path / "images.npy"))[:train]
    labels = torch.from_numpy(store.labels[:train])
    net = build_model(model, len(store.info.classes), images.shape[1], images.shape[-1])
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    epoch = plain_loop(images, labels, store.info.mean, store.info.std, net, True)
    epoch()
    epoch()


def take_steps(path: Path, model: str) -> int:
    """Take a few steps on one batch; give the bytes that they need beside what was imported."""
    import numpy as np
    import torch
    from torch.nn.functional import cross_entropy

    from medfl.models import build_model

    torch.set_num_threads(1)
    store = Store.open(path)
    images = torch.from_numpy(np.array(np.load(path / "images.npy", mmap_mode="r")[:BATCH]))
    labels = torch.from_numpy(store.labels[:BATCH])
    before = peak_memory()
    net = build_model(model, len(store.info.classes), images.shape[1], images.shape[-1])
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    given = images.float().contiguous(memory_format=torch.channels_last)
    for _ in range(STEPS):
        cross_entropy(net(given), labels).backward()
        with torch.no_grad():
            for parameter in net.parameters():
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad, alpha=LEARNING_RATE)
                    parameter.grad = None
    return peak_memory() - before


def train_run(store: Path, split: Path, settings: Mapping[str, Any], folder: Path) -> None:
    """Train two evaluated rounds, with one step a client unless ``settings`` say otherwise."""
    from medfl.config import FederatedConfig
    from medfl.federated.run import execute

    own: dict[str, Any] = {"device": "cpu", "workers": 1, "partition": "iid", "rounds": 2}
    own |= {"local_steps": 1, "learning_rate": LEARNING_RATE, **settings}
    execute(FederatedConfig(**own), store, split, folder, cores=own["workers"])


def main(words: list[str]) -> int:
    """Do as these words say, as ``peak`` gives them; the most bytes that this process has held."""
    what, *rest = words
    if what == "step":
        return take_steps(Path(rest[0]), rest[1])
    if what == "loop":
        train_plainly(Path(rest[0]), rest[1], int(rest[2]))
    elif what == "run":
        train_run(Path(rest[0]), Path(rest[1]), load_json(rest[2]), Path(rest[3]))
    else:
        import torch  # noqa: F401 - what all of them need
    return peak_memory()


if __name__ == "__main__":
    if sys.argv[1] == "together":
        with Together() as together:
            main(sys.argv[2:])
        print(together.most)
    else:
        print(main(sys.argv[1:]))
