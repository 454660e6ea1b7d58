"""When a run writes its checkpoint: every minute, and where a signal or Ctrl-C stops it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medfl.errors import MedflError, failure
from medfl.federated import checkpoint
from medfl.federated.state import WholeRound, restore, stored_in
from medfl.federated.state_file import Stored

if TYPE_CHECKING:
    from medfl.federated.trainer import FederatedTrainer

log = logging.getLogger(__name__)
CHECKPOINT_SECONDS = 60.0


class Saving:
    """Writes the checkpoints of a run, and goes on from one.

    Args:
        trainer: the run.
        folder: where they lie; None for a run without them.
    """

    def __init__(self, trainer: FederatedTrainer, folder: Path | None) -> None:
        self.trainer, self.folder = trainer, folder
        self._whole: WholeRound | None = None
        self._stored: int | None = None
        # What the last checkpoint refers to: its places in the file are not free.
        self._referred: list[Stored] = []
        self._saved = time.monotonic()

    def remember(self, number: int) -> None:
        """Keep the state after round ``number``, of which the next checkpoint will be."""
        if self.folder:
            self._whole = WholeRound(self.trainer, number)

    def save(self) -> int | None:
        """Write a checkpoint of what was last remembered, from which the run goes on.

        Returns:
            The round. None where there is none yet, or where it cannot be had in the middle of the
            next round; an older checkpoint then stays.

        Raises:
            MedflError: it cannot be written.
        """
        state = self._whole.state() if self._whole else None
        if not state or self.folder is None or self._whole is None:
            return None
        self.trainer.server.states.sync()
        checkpoint.write(self.folder, state)
        self._referred = stored_in(state)
        self._stored, self._saved = self._whole.number, time.monotonic()
        log.info("checkpoint after round %d", self._stored)
        return self._stored

    def save_when_due(self) -> None:
        """Write a checkpoint where the last one is a minute old."""
        if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self.save()

    @contextmanager
    def when_stopped(self) -> Iterator[None]:
        """Write a checkpoint where a signal or Ctrl-C ends the block, and say where it goes on."""
        try:
            yield
        except KeyboardInterrupt as stop:
            note = ""
            try:
                self.save()
            except MedflError as problem:
                note = f"no checkpoint could be written ({str(problem).rstrip('.')}); "
            if self._stored is None:
                note += "the same command begins again with the first round"
            else:
                note += f"the same command goes on after round {self._stored}"
            stop.add_note(note)
            raise

    def resume(self) -> int:
        """Load this very run's checkpoint; give the first round that is still to be done."""
        trainer = self.trainer
        self._saved = time.monotonic()
        if self.folder is None:
            return 0
        states = trainer.server.states
        state = checkpoint.read(self.folder, trainer.fingerprint, trainer.data.device, states)
        if not state:
            states.begin_anew()
            return 0
        try:
            restore(trainer, state)
            self._referred = stored_in(state)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            path = self.folder / checkpoint.NAME
            raise MedflError(
                f"{path} does not hold what a run keeps ({failure(error)}): delete it, and the "
                "same command begins with the first round."
            ) from error
        self._stored = trainer.server.round
        log.info("going on after round %d", self._stored)
        return int(state["round"]) + 1
