"""Import torchvision also where its compiled operators cannot load.

A torchvision built for CUDA beside a CPU-only torch cannot load its ``_C`` library, and then dies
on import, because it describes the operators ``nms`` and ``qnms`` that the library would have
defined. Networks need neither: defining the two names is enough.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch

# The operators vanish with the object that defined them: keep it for the life of the process.
_library: torch.library.Library | None = None


def import_torchvision() -> ModuleType:
    """Return torchvision; its compiled operators are only named, not there, if they cannot load.

    Calling such an operator raises PyTorch's ``NotImplementedError``.
    """
    global _library
    if "torchvision" not in sys.modules and _library is None and not _operators_load():
        _library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    return torchvision


def _operators_load() -> bool:
    """Whether torchvision's compiled operators load into this torch."""
    spec = importlib.util.find_spec("torchvision")
    folders = (spec.submodule_search_locations if spec else None) or []
    for path in (path for folder in folders for path in Path(folder).glob("_C.*")):
        try:
            torch.ops.load_library(str(path))
        except OSError:
            continue
        return True
    return False
