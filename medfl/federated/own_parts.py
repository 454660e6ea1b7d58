"""Turns what a person's own class raises while a run trains into one sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medfl.algorithms.registry import ALGORITHMS
from medfl.chain.registry import LINKS, RULES
from medfl.config import FederatedConfig
from medfl.errors import MedflError, current_folder, failed, memory_ended, own_code, own_frame
from medfl.models.registry import MODELS
from medfl.own_class import back_home
from medfl.partition.registry import PARTITIONS
from medfl.partition.scheme import split_word
from medfl.registry import Registry

log = logging.getLogger(__name__)


def own_parts(config: FederatedConfig) -> list[str]:
    """A person's own classes that take part in a run, such as ``link `my_links:Mine```."""
    learning, chain = config.federated_learning, config.chain
    named: list[tuple[Registry[Any], str]] = [
        (ALGORITHMS, learning.algorithm),
        (MODELS, config.model.name),
        (PARTITIONS, split_word(config.partition)[0]),
        *((LINKS, name) for name in chain.links),
        (RULES, chain.rule),
    ]
    return [f"{registry.what} `{name}`" for registry, name in named if name not in registry]


class Home:
    """The current folder of a run; where own code has left it, all that follows lay elsewhere."""

    def __init__(self) -> None:
        self.folder = current_folder()

    def check(self) -> None:
        """Go back there.

        Raises:
            MedflError: own code has left it.
        """
        back_home(self.folder, "your own code")


@contextmanager
def guard(config: FederatedConfig, log_file: Path | None = None) -> Iterator[None]:
    """Run a block in which a person's own classes are called.

    What they raise becomes a ``MedflError`` that names the class, the file and the line; the
    traceback goes to the run's log, ``log_file``, once there is one. Where no own class takes part,
    every error stays as it is.

    Raises:
        MedflError: an own class failed, or medfl could not use what one of them gave.
    """
    own = own_parts(config)
    seen = f" ({log_file} has the traceback)" if log_file else ""
    try:
        yield
    except (MedflError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a class that ends the process has not ended the run
        if not own or not failed(error):
            raise
        log.debug("The run failed.", exc_info=error)  # the file has it, the terminal does not
        if own_frame(error) is not None:
            with own_code(f"your own code failed{seen}"):
                raise
        # A full disk or too little memory is nobody's mistake in a class.
        if isinstance(error, OSError) or memory_ended(error):
            raise
        with own_code(f"medfl could not use what your own {' or '.join(own)} gave{seen}"):
            raise
