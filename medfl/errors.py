"""The one exception that reaches a user, and blocks that give every error its place."""

from __future__ import annotations

import csv
import os
import re
import struct
import sysconfig
import traceback
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from json import JSONDecodeError
from pathlib import Path
from types import FrameType

_LONGEST = 500  # characters of what own code says that are repeated


class MedflError(Exception):
    """Bad input or an impossible request.

    The message says what is wrong, where, and how to mend it; the command line prints it on one
    line, without a traceback, and exits with status 2.
    """


LONG_WORD, LONG_TEXT = 400, 2500  # signs: a path may be of 400, and a list of names of 2,500


def on_one_line(error: BaseException | str) -> str:
    """What an error says, as a terminal may show it.

    A name that it repeats may hold a line's end, or signs that a terminal takes for commands; or
    be of 10,000 letters, of which the first are enough to know it.
    """
    text = error if isinstance(error, str) else said_by(error)
    if len(text) > LONG_WORD:
        text = re.sub(rf"\S{{{LONG_WORD},}}", lambda word: _cut(word[0], LONG_WORD), text)
        text = _cut(text, LONG_TEXT)
    return text if text.isprintable() else "".join(map(_printable, text))


def _cut(text: str, longest: int) -> str:
    """A text without its middle, where it is too long: its end may say how to mend it."""
    if len(text) <= longest:
        return text
    some = longest // 4
    return f"{text[:some]}… ({len(text) - 2 * some:,} more) …{text[-some:]}"


def said_by(error: BaseException) -> str:
    """What an exception says; empty where it fails at that, as a class of one's own may."""
    try:
        return str(error)
    except (Exception, SystemExit):
        return ""


def _printable(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()


class FileError(MedflError):
    """A file that cannot be used.

    Attributes:
        path: the file, whose name may name a person.
        reason: what is wrong with it, in words that follow the file's name and that quote no
            value of the file, so that they may be written into an output.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(f"{path} {reason}.")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[FileError], tuple[Path, str]]:
        """Pickle by path and reason, so that an error crosses processes."""
        return type(self), (self.path, self.reason)


class Reason(ValueError):  # noqa: N818 - it is the words
    """Why a file cannot be read, in words of medfl's own, which quote nothing of the file."""


# Words by which libraries tell what kind of damage they met, and what it is called here.
_DAMAGE = {
    "truncat": "it is truncated",
    "unexpected end": "it is truncated",
    "end of file": "it is truncated",
    "end-of-stream": "it is truncated",
    "mmap length": "it is truncated",
    "crc": "its checksum (CRC) is wrong",
    "checksum": "its checksum (CRC) is wrong",
}
_KINDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((EOFError, struct.error), "it is truncated"),
    ((zlib.error,), "its compressed data are damaged"),
    ((csv.Error,), "a line of it is no line of a CSV file"),
    ((UnicodeError,), "a text in it is not in its encoding"),
    ((MemoryError, OverflowError), "it claims to be larger than can be"),
    ((NotImplementedError,), "it is of a kind that cannot be read"),
    ((LookupError,), "a part of it is missing"),
    ((ValueError, TypeError, ArithmeticError), "a value in it is not what it must be"),
)


def failure(error: BaseException) -> str:
    """Say what kind of failure an exception is, in words of medfl's own.

    What a library says of a damaged file may quote its bytes, and with them a patient's name.

    Raises:
        MemoryError: memory is what failed, and no file.
    """
    from medfl.files.memory import end_without_memory  # it tells of errors itself

    end_without_memory(error)
    if isinstance(error, Reason):
        return str(error).rstrip(".")
    if isinstance(error, JSONDecodeError):
        return f"it is not valid JSON at line {error.lineno}, column {error.colno}"
    if isinstance(error, AttributeError) and (error.name or "").isidentifier():
        return f"it lacks {error.name}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = said_by(error).casefold()
    for words, meaning in _DAMAGE.items():
        if words in text:
            return meaning
    kind = type(error)
    for kinds, meaning in _KINDS:
        if isinstance(error, kinds):
            return meaning if kind.__module__ == "builtins" else f"{meaning} ({kind.__name__})"
    return f"its reader failed with {kind.__name__}"


def memory_ended(error: BaseException) -> bool:
    """Whether an exception says that memory is exhausted: Python's, or PyTorch's own two.

    PyTorch is not imported for it. Of main memory it gives a ``RuntimeError`` of these words.
    """
    said = said_by(error) if isinstance(error, RuntimeError) else ""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "not enough memory: you tried to allocate" in said
        or "can't allocate memory" in said
    )


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Put ``where`` its cause stands, such as a file, before every ``MedflError`` of the block."""
    try:
        yield
    except MedflError as error:
        raise MedflError(f"{where}: {error}") from error


@contextmanager
def own_code(where: str, private: bool = False) -> Iterator[None]:
    """Run a person's own code: what it raises becomes a ``MedflError`` that says where and why.

    Where it reads data of people (``private``), its messages may quote them: then only the kind
    of the exception is said, unless Python itself raised it where the code was called.

    The current folder is afterwards what it was: what medfl writes lies where the user has said.
    """
    folder = current_folder()
    try:
        yield
    except (MedflError, KeyboardInterrupt):
        raise
    except BaseException as error:  # to end is no way out for a class of one's own
        if not failed(error):
            raise
        if private and _comes_from_elsewhere(error):
            raise MedflError(
                f"{where}: {type(error).__name__}{_line(error)}. What it says is not repeated, as "
                "it may quote the data: run your code by itself to see it."
            ) from None
        raise MedflError(f"{where}: {_reason(error)}{_line(error)}.") from error
    finally:
        if folder is not None and folder != current_folder():
            with suppress(OSError):
                os.chdir(folder)


def current_folder() -> str | None:
    """None where it was taken away."""
    try:
        return os.getcwd()
    except OSError:
        return None


def failed(error: BaseException) -> bool:
    """Whether code has failed, or has ended the process in place of that.

    Beside them there are the end of a generator and what a test's runner raises.
    """
    return isinstance(error, Exception | SystemExit) or own_frame(error) is not None


def own_failure(error: BaseException) -> str | None:
    """What to say of a failure in a person's own code that nobody has foreseen; None of others.

    It is not known whether that code reads data of people, so its words are not repeated.
    """
    if own_frame(error) is None and not isinstance(error, SystemExit):
        return None
    return (
        f"your own code failed: {type(error).__name__}{_line(error)}. What it says is not "
        "repeated, as it may quote the data: run your code by itself to see it."
    )


def _reason(error: BaseException) -> str:
    """The kind of an exception and what it says, which is no screenful."""
    words = " ".join(said_by(error).split()).rstrip(".")
    words = f"{words[:_LONGEST].rstrip()} …" if len(words) > _LONGEST else words
    return f"{type(error).__name__}: {words}".rstrip(": ")


@contextmanager
def unquoted(where: str) -> Iterator[None]:
    """Read data of people: what nobody expected is told by its kind and place alone."""
    try:
        yield
    except (MedflError, MemoryError):
        raise
    except OSError as error:
        raise MedflError(
            f"{where}: a file or folder of the data cannot be read ({failure(error)})."
        ) from None
    except Exception as error:
        *_, (frame, line) = traceback.walk_tb(error.__traceback__)
        place = f"line {line} of {Path(frame.f_code.co_filename).name}"
        kind = type(error).__name__
        raise MedflError(
            f"{where}: the data cannot be read, which is a mistake in medfl ({kind} in {place}). "
            "What it says is not repeated, as it may quote the data."
        ) from None


def _comes_from_elsewhere(error: BaseException) -> bool:
    """Whether an exception passed through code that is not medfl's."""
    ours = Path(__file__).resolve().parent
    frames = traceback.walk_tb(error.__traceback__)
    return any(ours not in Path(frame.f_code.co_filename).parents for frame, _ in frames)


def _line(error: BaseException) -> str:
    """The line of the person's own code that failed; a syntax error names its line by itself."""
    own = own_frame(error)
    if own is None or isinstance(error, SyntaxError):
        return ""
    frame, line = own
    name = frame.f_code.co_qualname.replace(".<locals>", "")  # such as MyClass.step
    inside = "" if name.startswith("<") else f"in {name}, "
    return f" ({inside}line {line} of {Path(frame.f_code.co_filename).name})"


def own_frame(error: BaseException) -> tuple[FrameType, int] | None:
    """The innermost frame of a person's own code in a traceback, with its line; None without."""
    installed = {
        Path(__file__).resolve().parent,
        *(Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")),
    }
    own = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        frozen = file.startswith("<")  # the interpreter's own
        if not frozen and installed.isdisjoint(Path(file).parents):
            own = frame, line
    return own
