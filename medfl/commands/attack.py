"""`attack` attacks the privacy of what clients send and of what servers release."""

from __future__ import annotations

import argparse
from pathlib import Path

from medfl.errors import MedflError

INVERSION, MEMBERSHIP = "inversion", "membership"


def attack(options: argparse.Namespace) -> None:
    """Run one kind of attack; write its figures, its numbers and a page on them."""
    from medfl.commands.options import section_of, tell
    from medfl.config import validate
    from medfl.config.attack import InversionSettings, MembershipSettings
    from medfl.observed.attacked import prepared

    folder, arms = Path(options.output_dir, options.kind), options.arms
    where = f"medfl attack {options.kind}"
    if len(set(arms)) < len(arms):
        raise MedflError("--arms names one twice: leave it out once.")
    if options.kind == INVERSION:
        from medfl.commands.attack_inversion import chosen_figures, invert_updates

        figures = chosen_figures(options.figures)
        settings = validate(InversionSettings, section_of(options, InversionSettings), where)
        store = prepared(options.dataset, options.data_root, options.work_root)
        if not store.info.synthetic:
            tell([f"{folder} will show images of {options.dataset}: keep them as you keep these"])
        invert_updates(store, options.dataset, arms, figures, settings, folder)
        return
    from medfl.commands.attack_membership import tell_members

    shadows = validate(MembershipSettings, section_of(options, MembershipSettings), where)
    store = prepared(options.dataset, options.data_root, options.work_root)
    tell_members(store, options.dataset, arms, shadows, folder)


def attack_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl attack`."""
    from medfl.commands import options
    from medfl.commands.words import words
    from medfl.config import OUTPUT_DIR, Section
    from medfl.config.attack import PROTECTIONS, InversionSettings, MembershipSettings
    from medfl.privacy.attacks.cases import INVERSION_FIGURES

    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    helps = {
        INVERSION: "Rebuild training images from the update that a client sent.",
        MEMBERSHIP: "Tell whether an image was trained on, by likelihood ratio.",
    }
    arms = {INVERSION: ",".join(PROTECTIONS), MEMBERSHIP: "none,dp-image"}
    sections: dict[str, type[Section]] = {
        INVERSION: InversionSettings,
        MEMBERSHIP: MembershipSettings,
    }
    for kind, settings in sections.items():
        sub = kinds.add_parser(
            kind,
            help=helps[kind],
            description=helps[kind],
            formatter_class=parser.formatter_class,
        )
        sub.add_argument("--dataset", default="phantom", help="flat images with one label each")
        sub.add_argument(
            "--arms",
            type=words,
            default=arms[kind],
            help=f"of {', '.join(PROTECTIONS)}, or arms of params/algorithms.yaml",
        )
        if kind == INVERSION:
            known = ",".join(INVERSION_FIGURES)
            sub.add_argument("--figures", type=words, default=known, help="which figures are made")
        options.section(sub, settings)
        options.output_dir(sub, "gets a folder KIND", default=f"{OUTPUT_DIR}/attacks")
        options.places(sub)
