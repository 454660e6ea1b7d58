"""Collect what decoding noticed about an image that it could read all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_collected: ContextVar[list[str] | None] = ContextVar("remarks", default=None)


def remark(texts: Iterable[str]) -> None:
    """Say something about the image that is being decoded; nothing happens if nobody collects."""
    heard = _collected.get()
    if heard is not None:
        heard.extend(texts)


@contextmanager
def collecting() -> Iterator[list[str]]:
    """Give the list into which ``remark`` writes while this block runs, in this thread."""
    heard: list[str] = []
    token = _collected.set(heard)
    try:
        yield heard
    finally:
        _collected.reset(token)
