"""Where a run's result comes from: code, versions, machine, hashes of its inputs."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
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
        "torch": torch.__version__,
        "torchvision": _version("torchvision"),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "cuda_available": torch.cuda.is_available(),
        "threads": config.training.threads,
        "config_sha256": fingerprint(config),
        "results_versions": code.versions,
        "code_sha": code.sha,
        **inputs,
    }


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
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
