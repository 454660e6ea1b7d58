"""The file that a bench leaves behind: who measured what, where, and all pairs of every figure."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.timing import Result
from medfl.errors import MedflError
from medfl.files import write_json

FORMAT = 1
BUSY = 1.2  # Linux itself takes 5 % from processes of real-time priority, in one piece
FOLDER = Path(__file__).parent / "results"
PACKAGES = ("medfl", "torch", "torchvision", "numpy")
MEND = "move it away, or name another with --against"


@dataclass(frozen=True)
class Machine:
    """What figures depend on, beside the code.

    Attributes:
        processor: its model.
        cores: how many this process may use.
        memory_gib: the machine's memory, rounded.
        gpu: its model; empty where there is none, or none was used.
        system: operating system and kernel.
    """

    processor: str
    cores: int
    memory_gib: int
    gpu: str = ""
    system: str = ""

    def alike(self, other: Machine) -> bool:
        """Whether seconds of both can be compared: the system may differ."""
        return self.words() == other.words() and self.memory_gib == other.memory_gib

    def words(self) -> str:
        cores = f"{self.cores} core{'s' * (self.cores != 1)}"
        return ", ".join(word for word in (self.processor, cores, self.gpu) if word)


@dataclass
class Figure(Result):
    """A figure with the plain loop that ran right before it and right after.

    Attributes:
        plain: seconds of processor of a step of the plain loop, before and after.
        waited: wall ÷ processor seconds of these loops: above 1 others kept the machine busy.
    """

    plain: list[float] = field(default_factory=list)
    waited: float = 1.0

    @property
    def busy(self) -> bool:
        return self.waited > BUSY


@dataclass
class Part:
    """What one part of the bench measured.

    Attributes:
        started: when, in ISO 8601 with the offset.
        seconds: how long it took.
        commit: of the sources; None outside git.
        load: the load average when it began.
        figures: in the order in which they were measured.
        failed: why it ended early; empty if it did not.
        words: what follows from its figures, in sentences.
    """

    started: str
    seconds: float
    commit: str | None
    load: float
    figures: list[Figure]
    failed: str = ""
    words: list[str] = field(default_factory=list)


@dataclass
class Record:
    """A whole file.

    Attributes:
        machine: where it was measured.
        versions: package → version, Python's too.
        parts: name → what it measured.
        format: of the file.
    """

    machine: Machine
    versions: dict[str, str]
    parts: dict[str, Part] = field(default_factory=dict)
    format: int = FORMAT

    def figures(self) -> Iterator[tuple[Part, Figure]]:
        """All that was measured; what was skipped is left out."""
        for part in self.parts.values():
            yield from ((part, figure) for figure in part.figures if figure.ratios)

    @property
    def started(self) -> datetime:
        return min(datetime.fromisoformat(part.started) for part in self.parts.values())

    def write(self, path: Path) -> None:
        """Write it, with the numbers that readers of the file look for beside those they follow."""
        content = asdict(self)
        for part, written in zip(self.parts.values(), content["parts"].values(), strict=True):
            for figure, entry in zip(part.figures, written["figures"], strict=True):
                entry["pairs"], entry["verdict"] = len(figure.ratios), figure.verdict
                if figure.ratios:
                    entry["median"], entry["spread"] = figure.median, list(figure.spread)
        write_json(path, content)


def read_record(path: Path) -> Record:
    """Read such a file.

    Raises:
        MedflError: it cannot be read, or is no such file; says what is wrong with it.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        record = TypeAdapter(Record).validate_json(path.read_bytes())
        return _checked(record)
    except OSError as error:
        raise MedflError(f"{path} cannot be read ({error.strerror}): {MEND}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        words = f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}"
        raise MedflError(f"{path} is no results file of a bench ({words}): {MEND}.") from error
    except ValueError as error:
        raise MedflError(f"{path} is no results file of a bench ({error}): {MEND}.") from error


def _checked(record: Record) -> Record:
    """What types do not say; a ``ValueError`` says what is wrong."""
    if record.format != FORMAT:
        raise ValueError(f"its format is {record.format}, this bench reads {FORMAT}")
    if not record.parts:
        raise ValueError("no part is in it")
    for name, part in record.parts.items():
        if datetime.fromisoformat(part.started).tzinfo is None:
            raise ValueError(f"parts.{name}.started has no offset from UTC")
    for _, figure in record.figures():
        if not all(map(math.isfinite, figure.ratios)):
            raise ValueError(f"{figure.name}: not all of {figure.ratios} are numbers")
        if not all(0 < seconds < math.inf for seconds in figure.plain):
            raise ValueError(f"{figure.name}: the plain loop cannot take {figure.plain} s")
    return record


def free_path(folder: Path, day: datetime) -> Path:
    """``<date>.json``, or ``<date>-2.json`` and so on: no file is written over."""
    number, path = 1, folder / f"{day:%Y-%m-%d}.json"
    while path.exists():
        number += 1
        path = folder / f"{day:%Y-%m-%d}-{number}.json"
    return path


def this_machine(gpu: str = "") -> Machine:
    """The machine that this process runs on."""
    from medfl.files.parallel import cpu_count

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = f"{platform.system()} {platform.release()}"
    return Machine(_processor(), cpu_count(), round(memory / 2**30), gpu, system)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]


def commit() -> str | None:
    """The commit of the sources, ``-dirty`` where they were edited; None outside git."""
    try:
        from medfl.federated.provenance import git_commit
    except ModuleNotFoundError:  # a bare machine
        return None
    return git_commit()


def versions() -> dict[str, str]:
    """Package → its version, of those that figures depend on and that are installed."""
    found: dict[str, Any] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
