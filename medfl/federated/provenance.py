"""Where a run's result comes from: code, versions, machine, hashes of its inputs."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from medfl.config import FederatedConfig
from medfl.federated.fingerprint import fingerprint
from medfl.versions import Code


def provenance(
    config: FederatedConfig, device: torch.device, code: Code, inputs: Mapping[str, str]
) -> dict[str, Any]:
    """Where a result comes from: code, versions, machine, hashes of its inputs."""
    return {
        "git_commit": git_commit(),
        "medfl": _version("medfl"),
        "python": platform.python_version(),
        "torchvision": _version("torchvision"),
        "platform": platform.platform(),
        "cuda_available": torch.cuda.is_available(),
        **_computer(device),
        "threads": config.training.threads,
        "config_sha256": fingerprint(config),
        "results_versions": code.versions,
        "code_sha": code.sha,
        **inputs,
    }


def _computer(device: torch.device) -> dict[str, Any]:
    """What decides how numbers are rounded."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
    }


def begin_stretch(
    stretches: list[dict[str, Any]], first: int, device: torch.device, workers: int
) -> None:
    """Add what computes a run from round ``first`` on, once its threads are set."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    computer = {**_computer(device), "workers": workers}
    stretches.append({"first_round": first, "started": started, **computer})


def ended_stretches(stretches: list[dict[str, Any]], rounds: int) -> list[dict[str, Any]]:
    """The stretches of a run of so many rounds, each with its last round.

    One that was stopped before it had done a round is left out.
    """
    nexts = [one["first_round"] for one in stretches[1:]]
    ends = [*(first - 1 for first in nexts), max(1, rounds)]
    found = [{**one, "last_round": last} for one, last in zip(stretches, ends, strict=True)]
    return [one for one in found if one["first_round"] <= one["last_round"]]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def git_commit() -> str | None:
    """The commit of the medfl sources, with ``-dirty`` where they were edited; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
