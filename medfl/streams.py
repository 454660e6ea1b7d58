"""Randomness: one independent stream for each (seed, round, client, purpose).

What is drawn for one purpose changes nothing that is drawn for another. So results depend neither
on the order of clients, nor on how often a run is evaluated, nor on how many train side by side.
"""

from __future__ import annotations

import hashlib

import torch

from medfl.own_draws import seed_both


def stream_seed(seed: int, *key: int | str) -> int:
    """A 63-bit seed that depends on every part of the key, by SHA-256."""
    text = "/".join([str(seed), *map(str, key)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_stream(seed: int, *key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that serves this key alone; each device draws other numbers."""
    return torch.Generator(device).manual_seed(stream_seed(seed, *key))


def seed_process(seed: int, *key: int | str) -> None:
    """Seed the generators of a whole process, in which own code may draw.

    Those are of Python, NumPy and PyTorch. medfl never draws there: layers have a ``LayerStream``.
    So what a person's own class draws is the same for the same key, too.
    """
    number = stream_seed(seed, "process", *key)
    seed_both(number)
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)


class LayerStream:
    """A stream for dropout and the like, which draw from PyTorch's own generators.

    Inside ``with`` these generators stand where this stream was left. So clients that take their
    steps in turn draw what they would draw one after the other.

    Args:
        seed: of the stream.
        device: where layers draw; the CPU's generator has the same seed.
        apart: whether the generators stand afterwards where they stood before.
    """

    def __init__(self, seed: int, device: torch.device, apart: bool = False) -> None:
        self._generators, self._apart = [torch.default_generator], apart
        if device.type == "cuda":
            index = torch.cuda.current_device() if device.index is None else device.index
            self._generators.append(torch.cuda.default_generators[index])
        # `torch.manual_seed` would keep every call for devices that are not yet used: it costs a
        # millisecond per client, and memory that grows with the rounds.
        self._states = [
            torch.Generator(one.device).manual_seed(seed).get_state() for one in self._generators
        ]

    @property
    def on_cpu(self) -> torch.Tensor:
        """Where the processor's generator was left."""
        return self._states[0]

    def __enter__(self) -> None:
        """Go on with this stream."""
        if self._apart:
            self._before = [generator.get_state() for generator in self._generators]
        for generator, state in zip(self._generators, self._states, strict=True):
            generator.set_state(state)

    def __exit__(self, *_: object) -> None:
        """Remember how far it has come."""
        self._states = [generator.get_state() for generator in self._generators]
        if self._apart:
            for generator, state in zip(self._generators, self._before, strict=True):
                generator.set_state(state)
