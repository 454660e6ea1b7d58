"""What DP-SGD does not compose with, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medfl.chain import Link
from medfl.config import DP_LINKS
from medfl.disclosure.published_sets import minimum_cell
from medfl.errors import MedflError
from medfl.privacy.dp_sgd.settings import DescentParams

if TYPE_CHECKING:
    from medfl.chain.roles import Algorithm
    from medfl.config import FederatedConfig


def check_noise(name: str, params: DescentParams) -> None:
    """Refuse noise, norm and budget that contradict each other (``MedflError``)."""
    if params.noise_multiplier is None and params.target_epsilon is None:
        raise MedflError(
            f"{name} needs noise_multiplier, or a target_epsilon from which it follows; "
            "noise_multiplier: 0 is the reference without privacy."
        )
    if params.noise_multiplier == 0.0 and params.target_epsilon is not None:
        raise MedflError(
            f"{name}: noise_multiplier is 0, which keeps to no target_epsilon (ε is infinite): "
            "leave one of the two out."
        )
    if params.max_grad_norm is None and params.noise_multiplier != 0.0:
        raise MedflError(
            f"{name}: without max_grad_norm nothing bounds what one sample adds, so no noise hides "
            "it: give max_grad_norm."
        )


def check_size_step(name: str, params: DescentParams, config: FederatedConfig) -> None:
    """Refuse a public size that tells a smaller count than is published (``MedflError``).

    It stands in the record, and whoever knows the noise finds it from ε as well.
    """
    least = minimum_cell(config.dataset, config.report.minimum_cell)
    if params.size_step < least:
        raise MedflError(
            f"{name}: a client's size is public in steps of size_step, which is "
            f"{params.size_step}, and would tell counts below report.minimum_cell, which is "
            f"{least}: set size_step of {name} in chain.links to {least} or more, or minimum_cell "
            f"to {params.size_step} or less."
        )


def check_views(
    name: str, params: DescentParams, config: FederatedConfig, links: Sequence[Link]
) -> None:
    """Refuse several views of an image where nothing makes them differ (``MedflError``)."""
    if params.views == 1 or config.augmentation.preset != "none":
        return
    if any(type(link).samples is not Link.samples for link in links):  # which may change each
        return
    raise MedflError(
        f"{name}: views is {params.views}, and without augmentation all views of an image are the "
        f"image itself, so that they would cost {params.views} times the work for nothing: set "
        "augmentation.preset, such as to auto, or leave views out."
    )


def check_composes(
    name: str, config: FederatedConfig, algorithm: type[Algorithm], links: Sequence[Link]
) -> None:
    """Refuse settings, algorithms and links under which its ε would not hold (``MedflError``)."""
    learning, training, augmentation = (
        config.federated_learning,
        config.training,
        config.augmentation,
    )
    for wrong, reason in (
        (
            learning.local_steps is None,
            "passes over the data tell how many samples a client has, and so does the number of "
            "its steps: set federated_learning.local_steps in place of local_epochs",
        ),
        (
            training.clip_norm is not None,
            "training.clip_norm would cut each step's gradient once more, with its noise: leave it "
            "out; max_grad_norm bounds what each unit adds",
        ),
        (
            augmentation.mixup > 0 or augmentation.cutmix > 0,
            "mixup and cutmix blend several people's images into one sample, so that clipping a "
            "sample bounds no one of them: leave them out; views: K takes several views of each "
            "image",
        ),
        (
            algorithm.takes_full_gradient(learning.algorithm_params),
            "the algorithm takes a gradient of all samples beside its steps, which is neither "
            "sampled nor accounted for: set option: 2 for scaffold, head_epochs: null for fedrep; "
            "fedala does not go with it",
        ),
        (
            algorithm.loss_passes > 0,
            "the algorithm measures each client's loss, which no noise hides: choose another",
        ),
        (
            algorithm.counts_labels or training.class_balanced_beta > 0,
            "each sample's gradient depends on how many others of its class a client has, so that "
            "clipping it bounds no one's share: leave training.class_balanced_beta, fedlc and "
            "fedrod out",
        ),
        (
            algorithm.keeps_batch_norm_alone(learning.algorithm_params),
            "batch norm becomes group norm, so that nothing would stay local and the algorithm "
            "would be fedavg: set layers: normalization for fedbn, or take it in silobn's place",
        ),
    ):
        if wrong:
            raise MedflError(f"{name}: {reason}.")
    for other in links:
        if other.name == name:
            continue
        if other.name in DP_LINKS:
            raise MedflError(
                f"{name} and {other.name} protect different units: a run has one of them."
            )
        kind = type(other)
        if kind.batches is not Link.batches or kind.gradient is not Link.gradient:
            raise MedflError(
                f"{name} draws the batches and computes the gradients itself, and the link "
                f"{other.name} would change them: leave one of the two out."
            )
