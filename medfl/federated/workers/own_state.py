"""Finds what a person's own classes keep on themselves while clients train side by side.

What one client leaves there, the next one reads, and the server: not where each trains in another
process. So it is looked at before a client trains and after, by which object stands where, and by
what is in it.
"""

from __future__ import annotations

import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from random import Random
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medfl.chain import Link
from medfl.errors import MedflError
from medfl.own_imports import is_installed

_LIBRARIES = ("medfl", "torch", "torchvision")
_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
# Of type hints, which have no content, but give other bytes each time that they are pickled.
_HINTS = ("typing", "types", "collections.abc", "_collections_abc")
_OF_MODULES = frozenset(vars(nn.Module()))  # parameters and buffers, which a network is loaded with
_LOOKED_AT = 2**22  # bytes of a tensor whose content is compared; of larger ones it is the version
_OF_LAYERS = "leave it out, or keep it in a floating buffer, which travels with the model"
_OF_HOOKS = "keep it with `client.keep`, hand it on in `Work.extras`"
_Mark = tuple[Any, ...]


def own_classes(parts: Sequence[Any]) -> list[Any]:
    """Those of these algorithms, links and networks whose class, or a layer's, is a person's."""
    return [one for one in parts if any(_is_own(part) for part in _within(one))]


def own_objects(parts: Sequence[Any]) -> list[Any]:
    """Those of these algorithms, links and layers of networks whose class is a person's."""
    return [part for one in parts for part in _within(one) if _is_own(part)]


@contextmanager
def unchanged(
    parts: Sequence[Any], stays: Callable[[], Mapping[str, Any]] = dict
) -> Iterator[None]:
    """Refuse what changes on a person's objects while the block runs (``MedflError``).

    Where there are such, the global variables of their modules must not change either, nor what
    ``stays`` gives by its name.
    """

    def fixed(alive: list[Any]) -> dict[str, list[_Mark]]:
        return _marked({**stays(), **_globals(parts)}, alive) if parts else {}

    alive: list[Any] = []  # so that no other object gets the id() of one that was there
    before = [_seen(part, alive) for part in parts]
    others = fixed(alive)
    yield
    for part, then in zip(parts, before, strict=True):
        if changed := _changed(then, _seen(part, [])):
            ways = _OF_LAYERS if isinstance(part, nn.Module) else _OF_HOOKS
            raise _refusal(f"{type(part).__name__}.{changed}", ways)
    if changed := _changed(others, fixed([])):
        raise _refusal(changed, _OF_HOOKS)


def _globals(parts: Sequence[Any]) -> dict[str, Any]:
    """The global variables of the modules of these objects' own classes, but large arrays."""
    kinds = {kind for part in parts for kind in type(part).__mro__ if _is_own_class(kind)}
    modules = {kind.__module__ for kind in kinds} & sys.modules.keys() - sys.stdlib_module_names
    return {
        f"{module}.{name}": value
        for module in sorted(modules)
        if not _is_of_a_package(module)
        for name, value in vars(sys.modules[module]).items()
        if name[:2] != "__" and not (isinstance(value, np.ndarray) and value.nbytes > _LOOKED_AT)
    }


@cache
def _is_of_a_package(module: str) -> bool:
    """Whether it is installed, so that its global variables are no business of a person's."""
    file = getattr(sys.modules[module], "__file__", None)
    return file is not None and is_installed(Path(file).resolve())


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The first name of which the marks differ; empty where there is none."""
    names = {**before, **after}
    return next((name for name in names if before.get(name) != after.get(name)), "")


def _marked(values: Mapping[str, Any], alive: list[Any]) -> dict[str, list[_Mark]]:
    return {name: list(_marks(value, alive, set())) for name, value in values.items()}


def _refusal(shown: str, ways: str) -> MedflError:
    return MedflError(
        f"`{shown}` changes while clients train side by side, each in a process of its own, so "
        f"that neither the next client nor the server would see it: {ways}, or set "
        "`training.workers: 1`."
    )


def _within(one: Any) -> Iterator[Any]:
    return iter(one.modules()) if isinstance(one, nn.Module) else iter([one])


def _is_own(part: Any) -> bool:
    return _is_own_class(type(part))


def _is_own_class(kind: type) -> bool:
    return kind is not object and kind.__module__.split(".")[0] not in _LIBRARIES


def _seen(part: Any, alive: list[Any]) -> dict[str, list[_Mark]]:
    """Attribute → marks of what stands there, those of the person's own classes too."""
    values = {
        name: value
        for kind in reversed(type(part).__mro__)
        if _is_own_class(kind)
        for name, value in vars(kind).items()
        if not name.startswith("__") and not hasattr(value, "__get__")
    }
    values |= vars(part)
    skipped = set(part.by_client) if isinstance(part, Link) else set[str]()
    if isinstance(part, nn.Module):
        skipped |= _OF_MODULES
        counters = {name: b for name, b in part._buffers.items() if b is not None}
        values |= {name: b for name, b in counters.items() if not b.is_floating_point()}
    seen = {
        name: value
        for name, value in values.items()
        if name not in skipped and not isinstance(getattr(type(part), name, None), cached_property)
    }
    return _marked(seen, alive)


def _marks(value: Any, alive: list[Any], known: set[int]) -> Iterator[_Mark]:
    """What tells whether a value is another than before, or has another content."""
    kind = type(value)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        yield kind, value if value == value else "nan"
        return
    alive.append(value)
    yield kind, id(value)
    if id(value) in known or isinstance(value, _CODE) or kind.__module__ in _HINTS:
        return
    known.add(id(value))
    if isinstance(value, Tensor):
        yield ("version", None if value.is_inference() else value._version)
        yield ("bytes", _content(value))
    elif isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            for one in value.ravel().tolist():
                yield from _marks(one, alive, known)
        else:
            yield ("bytes", value.tobytes())
    elif isinstance(value, nn.Module) and not _is_own_class(kind):
        for name, one in value.state_dict().items():
            yield ("entry", name, _content(one))
    elif isinstance(value, torch.Generator):
        yield ("state", value.get_state().numpy().tobytes())
    elif isinstance(value, np.random.Generator):
        yield ("state", repr(value.bit_generator.state))
    elif isinstance(value, Random):
        yield ("state", value.getstate())
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _marks(key, alive, known)
            yield from _marks(one, alive, known)
    elif isinstance(value, list | tuple | deque | set | frozenset):
        for one in value:
            yield from _marks(one, alive, known)
    elif kind.__module__ in sys.stdlib_module_names:  # such as bytearray, array and count
        with suppress(Exception):  # a lock or a file says nothing of its content
            yield ("pickled", pickle.dumps(value))
    elif _is_own_class(kind):
        slots = [name for one in kind.__mro__ for name in _words(vars(one).get("__slots__", ()))]
        for name in [*getattr(value, "__dict__", {}), *slots]:
            yield ("attribute", name)
            yield from _marks(getattr(value, name, None), alive, known)


def _content(tensor: Tensor) -> bytes:
    """The bytes of a tensor that is not large; its version counts no change by ``.data``."""
    if tensor.nbytes > _LOOKED_AT or tensor.layout != torch.strided:
        return b""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _words(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)
