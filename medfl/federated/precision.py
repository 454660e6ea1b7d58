"""In which precision forward passes compute."""

from __future__ import annotations

import torch

from medfl.config import Training


def autocast(training: Training, device: torch.device) -> torch.autocast:
    """The precision of forward passes: bfloat16 if configured, or if ``auto`` and a GPU has it."""
    wanted = training.mixed_precision == "on" or (
        training.mixed_precision == "auto"
        and device.type == "cuda"
        and torch.cuda.is_bf16_supported()
    )
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)
