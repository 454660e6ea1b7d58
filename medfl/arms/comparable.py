"""Refuses a grid with differential privacy whose arms could not be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medfl.chain.registry import LINKS
from medfl.config import DP_LINKS
from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.config import FederatedConfig

# Of a link: by what it draws batches or hospitals.
_DRAWS = ("size_step", "views", "sampling_rate")


@dataclass(frozen=True)
class _PrivateArm:
    """An arm under differential privacy, or one without noise that such arms are compared with."""

    run: FederatedConfig
    link: str
    params: Any

    @property
    def reference(self) -> bool:
        return bool(self.params.noise_multiplier == 0)

    @property
    def family(self) -> tuple[Any, ...]:
        """What an arm and its reference are of, whatever their noise."""
        learning = self.run.federated_learning
        return self.link, learning.algorithm, learning.algorithm_params

    def kind(self) -> dict[str, Any]:
        """What an arm and its reference must have in common."""
        run = self.run
        draws = {key: getattr(self.params, key) for key in _DRAWS if hasattr(self.params, key)}
        return {
            "model.name": run.model.name,
            "model.normalization": run.model.normalization,
            "augmentation": run.augmentation.model_dump(exclude_defaults=True),
            "training.batch_size": run.training.batch_size,
            **{f"{self.link}.{key}": value for key, value in draws.items()},
        }


def check_private_arms(runs: Iterable[FederatedConfig]) -> None:
    """Refuse arms whose local work differs beside an ε, and references unlike their arms.

    What other arms gain by more work would pass for the price of privacy. An arm without noise
    shows the price of noise only where all else is as in the arms with noise.

    Args:
        runs: one of each dataset, partition and arm, whose chains are checked.

    Raises:
        MedflError: says which arms differ, and in what.
    """
    places: dict[tuple[str, str], list[FederatedConfig]] = {}
    for run in runs:
        places.setdefault((run.dataset, run.partition), []).append(run)
    for (dataset, partition), beside in places.items():
        private = [arm for run in beside for arm in _protected(run)]
        if private:
            _check_steps(beside, private[0].run, f"on {dataset}, {partition}")
            for arm in private:
                _check_reference(arm, private, f"on {dataset}, {partition}")


def _protected(run: FederatedConfig) -> list[_PrivateArm]:
    """The run as one of those; a run has one link that promises an ε at most."""
    links = run.chain.links
    return [
        _PrivateArm(run, name, LINKS.load(name).Params(**links[name]))
        for name in DP_LINKS
        if name in links
    ]


def _check_steps(beside: Iterable[FederatedConfig], private: FederatedConfig, place: str) -> None:
    steps = private.federated_learning.local_steps
    for run in beside:
        other = run.federated_learning.local_steps
        if other != steps:
            raise MedflError(
                f"`arms`: {private.arm} takes {steps} local steps {place}, and {run.arm} "
                f"{'whole passes' if other is None else other}: the other work would pass for the "
                "price of privacy. Set run.federated_learning.local_steps for all arms and leave "
                "it out of each, or give these two grids of their own."
            )


def _check_reference(arm: _PrivateArm, private: Sequence[_PrivateArm], place: str) -> None:
    """Refuse an arm with noise whose references are all of another kind."""
    references = [one for one in private if one.reference and one.family == arm.family]
    mine = arm.kind()
    if arm.reference or not references or any(one.kind() == mine for one in references):
        return
    its = references[0].kind()
    key = next(key for key in mine if mine[key] != its[key])
    raise MedflError(
        f"`arms`: {references[0].run.arm} is to show what {arm.run.arm} would be without noise, "
        f"and {place} its {key} is {its[key]} in place of {mine[key]}: so the price of noise would "
        f"be mixed with that. Give both the same {key}, or {arm.run.arm} a reference of its own."
    )
