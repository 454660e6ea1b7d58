"""Signals that end a process: what is half done is put in order first.

A cluster sends SIGTERM, or SIGUSR1 or SIGUSR2 some time before it, and SIGKILL half a minute later;
a terminal sends SIGINT (Ctrl-C) or SIGHUP. Each of them raises ``Stopped`` at the next step of
Python, in a training run at the latest after the batch under way. Where that step is a destructor,
which Python lets raise nothing, it is raised a moment later.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# A second Ctrl-C is another press of the keys only after so long: one press can reach a process
# twice, from the terminal and from the program that started it.
SECOND_PRESS = 1.0
_MOMENT = 0.01  # s


class Stopped(KeyboardInterrupt):
    """A signal ends this process. Its notes say from where the same command goes on.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class _Handler:
    """Raises ``Stopped`` for the first signal; only a second Ctrl-C ends the process at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.holding = False
        self._since = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._since = number, time.monotonic()
            if not self.holding:
                raise Stopped(number)
        elif number == signal.SIGINT and time.monotonic() - self._since > SECOND_PRESS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def again(self) -> None:
        """Raise the first signal in a moment, because a destructor has swallowed it."""
        number, self.number = self.number, None
        # An alarm needs no lock and no thread, which a destructor must not wait for.
        signal.signal(signal.SIGALRM, lambda _, frame: self(number or signal.SIGTERM, frame))
        signal.setitimer(signal.ITIMER_REAL, _MOMENT)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let signals raise ``Stopped`` while the block runs, unless they are ignored (nohup)."""
    old: dict[int, Any] = {}
    handler, hook = _Handler(), sys.unraisablehook

    def unraisable(found: Any) -> None:
        if isinstance(found.exc_value, Stopped):
            handler.again()
        else:
            hook(found)

    if _in_main_thread():
        kept = [one for one in SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
        old = {one: signal.signal(one, handler) for one in kept}
        old[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)
        sys.unraisablehook = unraisable
    try:
        yield
    finally:
        if old:
            sys.unraisablehook = hook
            if signal.getsignal(signal.SIGALRM) != old[signal.SIGALRM]:
                signal.setitimer(signal.ITIMER_REAL, 0)
        for one, before in old.items():
            signal.signal(one, before)


def raise_if_stopped() -> None:
    """Raise ``Stopped`` anew where a bare ``except`` swallowed it."""
    handler = _ours()
    if handler and handler.number is not None:
        raise Stopped(handler.number)


@contextmanager
def held() -> Iterator[None]:
    """Let no signal stop a short block in its middle: one that comes takes effect at its end.

    Signals that end the process without a word of Python do so here, too.
    """
    handler = _ours()
    if not _in_main_thread() or (handler and handler.holding):
        yield
    elif handler:
        before, handler.holding = handler.number, True
        try:
            yield
        finally:
            handler.holding = False
            if before is None:
                raise_if_stopped()
    else:  # of a program that calls us, such as a notebook
        came: list[int] = []
        kept = [one for one in SIGNALS if callable(signal.getsignal(one))]
        old = {one: signal.signal(one, lambda number, _: came.append(number)) for one in kept}
        try:
            yield
        finally:
            for one, its in old.items():
                signal.signal(one, its)
            if came:
                signal.raise_signal(came[0])


def _ours() -> _Handler | None:
    """The handler of ``stoppable``, where it runs."""
    handler = signal.getsignal(signal.SIGTERM)
    return handler if isinstance(handler, _Handler) else None


def _in_main_thread() -> bool:
    """Whether this is the one thread that may set what a signal does, and is interrupted by it."""
    return threading.current_thread() is threading.main_thread()
