"""The device of a run."""

from __future__ import annotations

import torch

from medfl.errors import MedflError


def choose_device(name: str) -> torch.device:
    """The device of this name; ``auto`` is a GPU where there is one.

    Raises:
        MedflError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise MedflError(
            f"training.device is {name!r}: choose auto, cpu, cuda or cuda:<index>."
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MedflError(
            f"training.device is {name}, but PyTorch sees no GPU (torch {torch.__version__}). "
            "Use device: auto, or install a CUDA build of PyTorch."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MedflError(
            f"training.device is {name}, but the GPUs here are numbered 0 to "
            f"{torch.cuda.device_count() - 1}: choose one of them, or device: auto."
        )
    return device


def repeat_bits() -> None:
    """Let convolutions on a GPU give the same bits each time, as they do on a CPU.

    Otherwise cuDNN may add gradients up in the order in which threads happen to end.
    """
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
