"""The end of a job that was forked."""

from __future__ import annotations

import atexit
import os
import sys
import weakref

_jobs: list[int] = []  # this process, where it is a job's


def note_job() -> None:
    """Note that this process is a forked job's, which has nothing to finalise of its server's.

    PyTorch alone leaves so much to finalise that each job would take 0.02 s for it.
    """
    _jobs.append(os.getpid())
    for one in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        one.atexit = False


def ended(status: int) -> int:
    """End a forked job with this status; elsewhere give it back.

    An interpreter at its end takes everything apart that it has imported. In a fork each page of
    that memory would have to be copied first, which takes 0.2 s.
    """
    if _jobs == [os.getpid()]:
        import threading

        threading._shutdown()  # type: ignore[attr-defined]  # waits for its threads
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
    return status
