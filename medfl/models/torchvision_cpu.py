"""Import torchvision also where its compiled operators cannot load.

A torchvision built for CUDA beside a CPU-only torch cannot load its ``_C`` library, and then dies
on import, because it describes the operators ``nms`` and ``qnms`` that the library would have
defined. Networks need neither: defining the two names is enough.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch

# The operators vanish with the object that defined them: keep it for the life of the process.
_library: torch.library.Library | None = None


def import_torchvision() -> ModuleType:
    """Return torchvision. If its compiled operators cannot load, only their names are defined.

    Calling such an operator raises PyTorch's ``NotImplementedError``.
    """
    global _library
    if "torchvision" not in sys.modules and _library is None and not _operators_load():
        _library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    with _compiler_later():
        import torchvision

    return torchvision


@contextmanager
def _compiler_later() -> Iterator[None]:
    """Keep torchvision's import from importing PyTorch's compiler, which takes seconds.

    One operator (RoI align) asks the compiler a question when it is called, and its module imports
    the compiler for that. It gets a stand-in, which imports the real one when it is asked.
    """
    name = "torch._dynamo"
    if name in sys.modules:
        yield
        return

    def is_compile_supported(device_type: str) -> bool:
        from torch._dynamo.utils import is_compile_supported as real

        return bool(real(device_type))

    package, utils = ModuleType(name), ModuleType(f"{name}.utils")
    utils.is_compile_supported = is_compile_supported  # type: ignore[attr-defined]
    stand_ins = {name: package, f"{name}.utils": utils}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for key, module in stand_ins.items():
            if sys.modules.get(key) is module:
                del sys.modules[key]


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
