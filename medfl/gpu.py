"""GPU slots: each job takes a device of its own before it imports torch.

A workflow manager counts GPUs but does not say which one a job got. Each job therefore takes a
lock file (``flock``) that stands for one slot on one device; the kernel frees it when the process
ends, however it ends. Without a GPU nothing happens.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import stat
import sys
import time
from pathlib import Path

from medfl.errors import MedflError

_held: list[int] = []  # open lock files: a slot is kept until the process ends


def visible_gpus() -> list[str]:
    """The devices that this process may use: CUDA_VISIBLE_DEVICES if it is set, else all."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [word for word in chosen.replace(" ", "").split(",") if word not in ("", "-1")]
    names = (re.fullmatch(r"nvidia(\d+)", path.name) for path in Path("/dev").glob("nvidia*"))
    return sorted((match[1] for match in names if match), key=int)


def jobs_per_gpu() -> int:
    """How many runs share one GPU: MEDFL_JOBS_PER_GPU, else 1."""
    word = os.environ.get("MEDFL_JOBS_PER_GPU", "1")
    if not word.isdecimal() or int(word) < 1:
        raise MedflError(f"MEDFL_JOBS_PER_GPU must be a whole number of at least 1, not `{word}`.")
    return int(word)


def take_slot(device: str = "auto", poll: float = 0.2) -> str | None:
    """Wait for a free GPU slot, hold it until the process ends, and show only that GPU to CUDA.

    Devices fill up evenly: every GPU gets a first job before one gets a second.

    Args:
        device: the run's ``training.device``. Only ``auto`` and ``cuda`` leave a choice: with
            ``cpu`` no slot is needed, and with ``cuda:<index>`` the user has chosen.
        poll: seconds between two attempts.

    Returns:
        The value that CUDA_VISIBLE_DEVICES was set to, or None where no slot was taken.

    Raises:
        MedflError: the lock files cannot be used.
    """
    gpus = visible_gpus() if device in ("auto", "cuda") else []
    if not gpus:
        return None
    # A cluster reserves devices for each job and numbers them anew, so each job has its own locks.
    job = os.environ.get("SLURM_JOB_ID", "local")
    folder = Path(os.environ.get("MEDFL_GPU_LOCKS") or _lock_folder(), job)
    slots = [(gpu, folder / f"{gpu}.{k}") for k in range(jobs_per_gpu()) for gpu in gpus]
    waiting = False
    while True:
        for gpu, path in slots:
            lock = _try(path)
            if lock is not None:
                _held.append(lock)
                os.environ["CUDA_VISIBLE_DEVICES"] = gpu
                return gpu
        if not waiting:
            holders = ", ".join(path.read_text(errors="replace")[:20] for _, path in slots)
            print(
                f"waiting for one of {len(slots)} GPU slots, which processes {holders} hold "
                f"({folder})",
                file=sys.stderr,
                flush=True,
            )
            waiting = True
        time.sleep(poll)


def _try(path: Path) -> int | None:
    """Lock a file of this user's, and write down who holds it; None where another process does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Not through a link, and no pipe: whoever has put one there would choose what is written.
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
        lock = os.open(path, flags, 0o600)
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be opened") from error
    try:
        found = os.fstat(lock)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
            raise _unusable(path, "it is no file of this user's")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError as error:
        os.close(lock)
        raise _unusable(path, error.strerror or "it cannot be locked") from error
    return lock


def _unusable(path: Path, reason: str) -> MedflError:
    return MedflError(
        f"the lock of a GPU slot, {path}, cannot be used ({reason}): delete it, or name another "
        "folder of yours with MEDFL_GPU_LOCKS."
    )


def _lock_folder() -> Path:
    """A folder of this user's own, for this machine: in a shared one anybody may put files first.

    Not TMPDIR: a workflow manager may give each job its own.
    """
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "medfl", "gpu", socket.gethostname())
