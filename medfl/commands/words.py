"""What the words of a command line may be: numbers, lists, and names of files and folders."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from medfl.config import LARGEST, NUMBER, WHOLE
from medfl.files.names import usable_folder, usable_path, writable_folder

RANGE = re.compile(r"(0|[1-9][0-9]*)-(0|[1-9][0-9]*)")
MOST = 1000  # numbers in a range, or in a list
PROCESSORS = 100_000  # no machine has more


def words(text: str) -> list[str]:
    """The words between the commas of a text; at least one."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise argparse.ArgumentTypeError(
            f"{text!r} names nothing: give a name, or leave the option out"
        )
    return found


def whole_number(text: str) -> int:
    """A whole number in plain digits; Python would take 010 for 10, and 1_0 too."""
    if not WHOLE.fullmatch(text.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number in plain digits, such as 10")
    return _bounded(text)


def _bounded(text: str) -> int:
    if len(text.strip()) > 99 or abs(int(text)) > LARGEST:  # Python reads no 5,000 digits
        raise argparse.ArgumentTypeError(f"no number is more than {LARGEST:,}")
    return int(text)


def number(text: str) -> float:
    """A number in plain digits, as in files."""
    if not NUMBER.fullmatch(text.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number in plain digits, such as 0.5")
    return float(text)


def whole_numbers(text: str) -> list[int]:
    """The whole numbers between the commas of a text, such as ``0,2`` or ``0-4,7``."""
    numbers: list[int] = []
    for word in words(text):
        if found := RANGE.fullmatch(word):
            first, last = _bounded(found[1]), _bounded(found[2])
            if not first <= last < first + MOST:
                raise argparse.ArgumentTypeError(
                    f"{word!r} is no range of up to {MOST} numbers, such as 0-4"
                )
            numbers += range(first, last + 1)
        else:
            numbers.append(whole_number(word))
    if len(numbers) > MOST:
        raise argparse.ArgumentTypeError(f"these are {len(numbers):,} numbers, and {MOST} the most")
    return numbers


def processors(text: str) -> str:
    """How many processors Snakemake uses: ``all``, or a number of 1 or more."""
    if text == "all" or (WHOLE.fullmatch(text) and 1 <= _bounded(text) <= PROCESSORS):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither all nor a number of processors from 1 to {PROCESSORS:,}"
    )


def file(text: str) -> str:
    """The name of a file, or of what else is read."""
    return _checked(usable_path, text)


def folder(text: str) -> str:
    """The name of a folder."""
    return _checked(usable_folder, text)


def new_folder(text: str) -> str:
    """The name of a folder that is written."""
    return _checked(writable_folder, text)


def _checked(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
