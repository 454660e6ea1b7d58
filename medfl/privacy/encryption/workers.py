"""Encryption and decryption with the hospitals' key: in this process, or spread over several.

TenSEAL holds Python's lock while it works, and its own threads (``n_threads``) share out the sums
and products of tensors, not their encryption. So it takes processes to use several cores. Each is
an interpreter of its own, which gets the key through a socket. It ends when the socket is closed:
by ``close``, or because the process that started it is gone, in whatever way that ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from queue import SimpleQueue
from typing import Any

import numpy as np

from medfl.errors import MedflError
from medfl.privacy.encryption.checksum import Integers
from medfl.privacy.encryption.ciphertexts import decrypt, encrypt
from medfl.privacy.encryption.keys import HospitalKeys, open_context
from medfl.privacy.sealed.given import check_kind, check_whole
from medfl.stopping import SIGNALS, held

FEWEST = 128  # so many ciphertexts take 0.1 s, and a process takes 0.2 s to start, once in a run
_AT_ONCE = 32  # ciphertexts: 2 MB in the smallest ring


class WorkerDiedError(MedflError):
    """A process that encrypts and decrypts has ended by itself, or could not be started."""


class CkksWorkers:
    """What encrypts and decrypts for hospitals that have these keys.

    Ciphertexts come and go in the same order whichever number of processes there are, which
    are started when they are first needed.

    Args:
        keys: what the hospitals share.
        processes: how many share the work; 1 for this one alone, which works by itself also where
            there are fewer than ``FEWEST`` ciphertexts.
        whose: the keys, for messages.

    Attributes:
        processes: as above.

    Raises:
        MedflError: there are no processes, or the keys cannot be read.
    """

    def __init__(
        self, keys: HospitalKeys, processes: int = 1, whose: str = "the hospitals"
    ) -> None:
        check_kind("encryption", HospitalKeys, keys=keys)
        check_whole("encryption", processes=processes)
        if processes < 1:
            raise MedflError(f"encryption: processes is {processes}: it must be 1 or more.")
        self.processes, self._keys = processes, keys
        self._context = open_context(keys.secret, whose)
        self._started: list[_Worker] = []

    def encrypt(self, blocks: Integers, checks: Integers) -> list[bytes]:
        """The serialised ciphertext of each block (m, k) with its check slots (m, 4).

        Raises:
            WorkerDiedError: of a process.
        """
        found = self._spread(encrypt, len(blocks), lambda part: (blocks[part], checks[part]))
        return [piece for pieces in found for piece in pieces]

    def decrypt(self, pieces: Sequence[bytes]) -> tuple[Integers, Integers]:
        """The whole numbers of ciphertexts, (m, k), and of their check slots, (m, 4).

        Raises:
            MedflError: a ciphertext is damaged, or a process has ended (``WorkerDiedError``).
        """
        settings = self._keys.settings
        found = self._spread(decrypt, len(pieces), lambda part: (pieces[part], settings))
        sums, checks = zip(*found, strict=True)
        return np.concatenate(sums), np.concatenate(checks)

    def close(self) -> None:
        """End the processes; who encrypts again starts others."""
        while self._started:
            self._started.pop().end()

    def _spread(
        self, function: Callable[..., Any], count: int, of: Callable[[slice], tuple[Any, ...]]
    ) -> list[Any]:
        """What ``function`` gives for each part of ``count`` ciphertexts, in their order."""
        if self.processes == 1 or count < FEWEST:
            return [function(self._context, *of(slice(count)))]
        free: SimpleQueue[_Worker] = SimpleQueue()

        def work(part: slice) -> Any:
            worker = free.get()
            try:
                return worker.ask(function, *of(part))
            finally:
                free.put(worker)

        parts = [slice(start, start + _AT_ONCE) for start in range(0, count, _AT_ONCE)]
        try:
            while len(self._started) < self.processes:
                self._started.append(_Worker(self._keys.secret))
            for worker in self._started:
                free.put(worker)
            # One thread for each process, which waits for it. A signal, or the first error, lets
            # them come to the end of the parts under way. It waits until each thread is known,
            # and has ended: the next call would read the answer to a part that nobody waits for.
            threads = ThreadPoolExecutor(self.processes)
            try:
                with held():
                    found = threads.map(work, parts)
                return list(found)
            finally:
                with held():
                    threads.shutdown(cancel_futures=True)
        except WorkerDiedError:
            self.close()
            raise


class _Worker:
    """A process that has the key, seen from the one that started it."""

    def __init__(self, secret: bytes) -> None:
        self._way, theirs = Pipe()
        # No module of the caller's is imported, as `multiprocessing` would: it may be a script.
        code = f"from {__name__} import serve; serve({theirs.fileno()})"
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", code],
                    env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for the run, which then closes the socket
                )
            except OSError as error:
                raise WorkerDiedError(
                    f"encryption: a process beside this one could not be started ({error}): set "
                    "`training.threads: 1`, which needs none."
                ) from error
        self._say(secret)

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What ``function(context, *arguments)`` gives there."""
        self._say((function, *arguments))
        try:
            found = self._way.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        if isinstance(found, MedflError):
            raise found
        return found

    def end(self) -> None:
        """End it: it holds nothing that would be lost."""
        self._way.close()
        self._process.kill()
        self._process.wait()

    def _say(self, what: Any) -> None:
        try:
            self._way.send(what)
        except OSError as error:
            raise self._died() from error

    def _died(self) -> WorkerDiedError:
        self._process.kill()  # its socket is closed, so that nothing can be had from it any more
        return WorkerDiedError(
            f"encryption: a process that encrypts beside this one has ended with status "
            f"{self._process.wait()}, perhaps for want of memory: run the same again, with "
            "`training.threads: 1` if need be, which needs no such process."
        )


def serve(descriptor: int) -> None:
    """Be such a process: do what is asked through a socket, until it is closed."""
    for one in SIGNALS:  # a cluster may send them to every process of a job
        signal.signal(one, signal.SIG_IGN)
    with Connection(descriptor) as way, suppress(EOFError, ConnectionError):
        context = open_context(way.recv(), "a process beside the run")
        while True:
            function, *arguments = way.recv()
            try:
                found = function(context, *arguments)
            except MedflError as error:
                found = error
            way.send(found)
