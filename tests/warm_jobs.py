"""A small program whose jobs may start warm, and a start that calls them."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medfl.warm import OFF, VARIABLE, ended, foresee, offer, served, server

ROOT = Path(__file__).resolve().parents[1]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU)
felt: list[str] = []  # what a job leaves here must not be felt in the next one


def get_ready() -> tuple[Callable[[], None], Callable[[], None]]:
    """Note that a server gets ready, and fail in the way that the environment names."""
    with open(f"{os.environ['PLACE']}/servers", "a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    weakref.finalize(do, print, "what the server would finalise")
    server.IDLE = float(os.environ.get("IDLE", "30"))
    fails = os.environ.get("FAILS")
    if fails == "import":
        raise ImportError("on purpose")
    if fails == "thread":
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

    def look() -> None:
        if os.environ.get("LOOKS"):
            with open(f"{os.environ['PLACE']}/looks", "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()}\n")
            raise ValueError("on purpose")

    return look, lambda: felt.append("begun")


def do(what: str, *words: str) -> int:
    """Say who does this job, and do it."""
    print(os.getpid(), os.getppid(), *felt, flush=True)
    felt.append("done")
    if what == "say":
        mask = os.umask(0)
        print(os.getcwd(), oct(mask), VARIABLE in os.environ, sys.stdin.read(), *words)
        print("to stderr", file=sys.stderr)
        ignored = [one.name for one in SIGNALS if signal.getsignal(one) == signal.SIG_IGN]
        print("ignored:", *ignored)
    elif what == "exit":
        return int(words[0])
    elif what == "later":  # what is left for the end of a process
        atexit.register(print, "at the end")
        weakref.finalize(Start, print, "finalised")
        threading.Thread(target=lambda: (time.sleep(0.2), print("a thread"))).start()
        print("not flushed")
    elif what == "die":
        os.kill(os.getpid(), int(words[0]))
    elif what == "wait":  # for a signal
        came: list[int] = []
        for one in SIGNALS:
            signal.signal(one, lambda number, frame: came.append(number))
        Path(words[0]).write_text(str(os.getpid()), encoding="utf-8")
        while not came:
            time.sleep(0.01)
        return 128 + came[0]
    return 0


class Start:
    """A start: its process offers warm starts to the jobs that it calls in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.called = folder, list[subprocess.Popen[str]]()
        (folder / "sources").mkdir(exist_ok=True)
        self.process = subprocess.Popen(["sleep", "600"])
        offered = offer(self.process.pid)
        self.environment = {**os.environ, **offered, "PYTHONPATH": str(ROOT), "PLACE": str(folder)}

    def call(self, *words: str, cwd: str = ".", **changes: str) -> subprocess.Popen[str]:
        """Begin a job; ``changes`` are those of its environment."""
        caller = subprocess.Popen(
            [sys.executable, __file__, *words],
            cwd=self.folder / cwd,
            env=self.environment | changes,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.called.append(caller)
        return caller

    def waiting(self, name: str) -> tuple[subprocess.Popen[str], int]:
        """A job that waits for a signal, and the number of the process that does it."""
        caller = self.call("wait", name)
        until(lambda: (self.folder / name).exists() and (self.folder / name).read_text())
        return caller, int((self.folder / name).read_text())

    def done(self, *words: str, **options: str) -> tuple[int, list[str], str]:
        """Do a job: its exit status, its lines, and what it said of errors."""
        caller = self.call(*words, **options)
        out, errors = caller.communicate("given", timeout=30)
        return caller.returncode, out.splitlines(), errors

    @property
    def servers(self) -> list[int]:
        """Those that were ever started here."""
        path = self.folder / "servers"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def end(self) -> None:
        """End the start's process."""
        self.process.kill()
        self.process.wait()


def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def is_there(process: int) -> bool:
    """Whether a process is there, a zombie too."""
    return Path(f"/proc/{process}").exists()


if __name__ == "__main__":
    offer_of_start = os.environ.pop(VARIABLE, OFF)
    begin = foresee if sys.argv[1] == "foresee" else served
    status = begin(offer_of_start, get_ready, f"{os.environ['PLACE']}/sources")
    sys.exit(ended(do(*sys.argv[1:])) if status is None else status)
