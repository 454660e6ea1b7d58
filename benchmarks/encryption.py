"""What encrypted sums cost a client: in two rings, on one core and two, for a ResNet-18."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import psutil

from benchmarks.secure_aggregation import LENGTH, vector
from benchmarks.timing import Cost, Result, added, cost, interleave
from medfl.privacy.encryption import CkksSettings, SimulatedEncryption
from medfl.privacy.sealed import FEWEST_CLIENTS
from medfl.privacy.sealed.fixed_point import FixedPoint

SMALL, USUAL = (4096, (54, 54)), (8192, (60, 40, 40))
GOAL = 12.0  # seconds of a client and round, on one core


def run(pairs: int) -> Iterator[Result]:
    """Yield a client's seconds in the ring that medfl takes, in the usual one, and on two cores."""
    small, usual = ClientRound(*SMALL), ClientRound(*USUAL)
    costs = interleave(small.play, usual.play, pairs, warm_up=0)
    for at, (one, goal) in enumerate(((small, GOAL), (usual, None))):
        degree, bits = one.settings.degree, list(one.settings.modulus_bits)
        yield Result(
            f"encrypted update of {LENGTH / 1e6:g} M, {degree} {bits}",
            [pair[at].cpu for pair in costs],
            goal,
            "s of a client",
            f"{one.note}; {one.bytes_up / LENGTH:.1f} bytes a parameter",
        )
    two = ClientRound(*SMALL, processes=2)
    costs = interleave(two.play, small.play, pairs, warm_up=0)
    two.rounds.close()
    cells = [
        statistics.median(getattr(one, kind) for one in side)
        for side in zip(*costs, strict=True)
        for kind in ("wall", "cpu")
    ]
    yield Result(
        "encrypted update in two processes ÷ in one",
        [ours.wall / other.wall for ours, other in costs],
        None,
        "of wall time",
        "{:.1f} s of wall and {:.1f} s of processor / {:.1f} s and {:.1f} s".format(*cells),
    )


class ClientRound:
    """What one client does in a round: rounding, encrypting, signing, decrypting, checking.

    The server's part, adding up, is told apart.

    Attributes:
        settings: the ring.
        bytes_up: of a client's message.
        note: the seconds of each part in the last round.
    """

    def __init__(self, degree: int, bits: tuple[int, ...], processes: int = 1) -> None:
        self.settings = CkksSettings(10, degree, bits)
        self.rounds = SimulatedEncryption(range(FEWEST_CLIENTS), self.settings, processes=processes)
        self.point = FixedPoint(1.0, 10)
        self.bytes_up, self.note, self._number = 0, "", 0

    def play(self) -> Cost:
        """Run one round of as few clients as there may be; give the cost of one of them."""
        self._number += 1
        self.rounds.open(self._number, range(FEWEST_CLIENTS), bytes(32))
        encrypting, adding = [], []
        for client in range(FEWEST_CLIENTS):
            update, sent = vector(client), [b""]
            encrypting.append(with_children(partial(self._send, client, update, sent)))
            self.bytes_up = len(sent[0])
            adding.append(cost(partial(self.rounds.add, sent[0])))
        self.rounds.sent = self.rounds.total.finish()
        found: list[np.ndarray] = []
        reading = with_children(lambda: found.append(self.rounds.read(LENGTH + 1)))
        assert found[0][-1] == 700 * FEWEST_CLIENTS
        first = min(encrypting, key=lambda one: one.cpu)
        self.note = (
            f"{first.cpu:.1f} s to round, encrypt and sign, {reading.cpu:.1f} s to decrypt and "
            f"check; the server {min(one.cpu for one in adding):.1f} s a client"
        )
        return added(first, reading)

    def _send(self, client: int, update: np.ndarray, sent: list[bytes]) -> None:
        encoded = self.point.encode(update, 700, np.random.default_rng(client)).vector
        sent[0] = self.rounds.encrypt(client, encoded.view("<i4").astype(np.int64))


def with_children(function: Callable[[], object]) -> Cost:
    """What one call costs, in the processes beside this one, too."""
    before = _spent()
    own = cost(function)
    return Cost(own.cpu + _spent() - before, own.wall)


def _spent() -> float:
    times = [child.cpu_times() for child in psutil.Process().children()]
    return sum(one.user + one.system for one in times)
