"""Decide which samples are of one patient: over sites, issuers of ids, and ways to write them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from medfl.datasets.described.fact_sections import PatientRules, SiteRules
from medfl.datasets.described.labels import about_spellings
from medfl.datasets.described.renames import is_among, mapped
from medfl.errors import MedflError
from medfl.identity.spelling import alike, is_rounded, is_unknown, joined, spelling
from medfl.store.info import undecided_ids

NO_SITE = "has no site, which would say whose patient it is"
ELSEWHERE = "is of a patient most of whose samples are at another site"


@dataclass(frozen=True)
class Told:
    """What a sample's source tells of its patient; nothing of it is fit for an output but ``site``.

    Attributes:
        patient: the id; empty where nobody knows.
        site: where it was taken; empty where nobody knows.
        issuer: who gave the id (DICOM's IssuerOfPatientID).
        study: of which examination it is (DICOM's StudyInstanceUID).
    """

    patient: str
    site: str
    issuer: str = ""
    study: str = ""


@dataclass(frozen=True)
class Whose:
    """Whose each sample is.

    Attributes:
        patients: (N,) the id of its patient in one spelling; empty where nobody knows.
        names: (N,) what tells its patient from all others; empty where nobody knows.
        left: why samples are left out, by row.
        undecided: ids at more than one site of which nobody has said whether each is one patient.
        warnings: what a user must know.
    """

    patients: Sequence[str] = field(repr=False)
    names: Sequence[str] = field(repr=False)
    left: Mapping[int, str]
    undecided: int
    warnings: Sequence[str]

    @property
    def kept(self) -> list[int]:
        """The rows that are not left out."""
        return [row for row in range(len(self.names)) if row not in self.left]

    def without_left(self) -> Whose:
        """The same of the rows that are kept."""
        patients = [self.patients[row] for row in self.kept]
        names = [self.names[row] for row in self.kept]
        return replace(self, patients=patients, names=names, left={})


def known_patient(word: str, rules: PatientRules) -> str:
    """Give the id of a patient; empty where the word means that nobody knows."""
    return "" if is_unknown(word, rules.unknown) else word


def known_site(word: str, rules: SiteRules) -> str:
    """Give the name of a site, as ``map`` has it; empty where the word means that nobody knows."""
    named = is_among(word, rules.rename)
    if not named and is_unknown(word, rules.unknown):
        return ""
    return mapped(rules.rename, word)


def one_spelling(sites: Sequence[str], rules: SiteRules) -> list[str]:
    """Give each site its name, in one spelling if that is asked for."""
    chosen = joined(sites, set(rules.rename.values())) if rules.normalise else {}
    return [chosen.get(site, site) for site in sites]


def about_sites(sites: Sequence[str]) -> list[str]:
    """Warn of sites that look like one, and of samples without a site where others have one."""
    how = "`site: {normalise: true}`, or a `map` there, joins them"
    warnings = about_spellings("sites", sites, how)
    lacking = sum(not site for site in sites)
    if 0 < lacking < len(sites):
        warnings.append(f"{lacking:,} samples name no site, or an unknown one (such as NA)")
    return warnings


def settle_patients(told: Sequence[Told], rules: PatientRules, where: str) -> Whose:
    """Say which samples are of one patient.

    Args:
        told: what is known of each sample.
        rules: what a description says of patients.
        where: it stands, for errors.

    Raises:
        MedflError: ids are to be told apart by site, and no sample has one.
    """
    chosen = joined([one.patient for one in told]) if rules.normalise else {}
    patients = [chosen.get(one.patient, one.patient) for one in told]
    names, warnings = _by_issuer(patients, told)
    left: dict[int, str] = {}
    undecided = 0
    if rules.ids == "by_site":
        if not any(one.site for one in told):
            raise MedflError(
                f"{where}: `ids: by_site` needs a site for each sample, and none has one: say by "
                "`site:` where they stand."
            )
        named = [(row, one.site) for row, one in enumerate(told) if names[row]]
        left = {row: NO_SITE for row, site in named if not site}
        for row, site in named:
            names[row] = f"{names[row]}\0{site}"
    else:
        undecided, more = _over_sites(names, told, rules, left)
        warnings += more
    warnings += _about_numbers(patients)
    return Whose(patients, names, left, undecided, warnings)


def about_patients(whose: Whose, groups: Sequence[str]) -> list[str]:
    """Warn of patients whose ids look like one; ``groups`` are the patients' pseudonyms."""
    pseudonym = dict(zip(whose.names, groups, strict=True))
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    for patient, name in zip(whose.patients, whose.names, strict=True):
        if patient:
            parts[name.removeprefix(patient)][patient] = pseudonym[name]
    families = [
        [ids[patient] for patient in family] for ids in parts.values() for family in alike(ids)
    ]
    if not families:
        return []
    number = sum(map(len, families))
    return [
        f"{number:,} patients look like {len(families):,} whose ids are written in several ways "
        f"({families[0][0]} and {families[0][1]}{', …' if number > 2 else ''}). If they are, one "
        "person may be in training and in test: `patient: {normalise: true}` joins them"
    ]


def about_studies(told: Sequence[Told], groups: Sequence[str]) -> list[str]:
    """Warn of examinations of which two patients have samples: one of the ids is wrong."""
    of_study = _sets((one.study, group) for one, group in zip(told, groups, strict=True))
    odd = sum(len(found) > 1 for found in of_study.values())
    if not odd:
        return []
    return [
        f"{odd:,} examinations (StudyInstanceUID) have samples of several patients, though each is "
        "of one person, who may be in training and in test: look at their patients and sites"
    ]


def _by_issuer(patients: Sequence[str], told: Sequence[Told]) -> tuple[list[str], list[str]]:
    """Tell ids apart that two issuers gave; one that states no issuer is a third."""
    issuers = _sets(
        (patient, one.issuer if patient else "")
        for patient, one in zip(patients, told, strict=True)
    )
    several = {patient for patient, found in issuers.items() if patient and len(found) > 1}
    names = [
        f"{patient}\0\0{one.issuer}" if patient in several and one.issuer else patient
        for patient, one in zip(patients, told, strict=True)
    ]
    if not several:
        return names, []
    return names, [
        f"{len(several):,} ids of patients were given by several issuers (IssuerOfPatientID), and "
        "count as a patient of each"
    ]


def _over_sites(
    names: Sequence[str], told: Sequence[Told], rules: PatientRules, left: dict[int, str]
) -> tuple[int, list[str]]:
    """Count the patients at more than one site, and add what is to be left out to ``left``."""
    sites: dict[str, Counter[str]] = defaultdict(Counter)
    issuers: dict[str, set[str]] = defaultdict(set)
    for name, one in zip(names, told, strict=True):
        if name:
            sites[name].update([one.site] if one.site else [])
            issuers[name].add(one.issuer)
    at_some = {name: found for name, found in sites.items() if len(found) > 1}
    several = {name for name, found in at_some.items() if len(set(map(spelling, found))) > 1}
    # Whom one issuer numbered is one person, wherever that was.
    sure = {name for name in several if issuers[name] != {""} and len(issuers[name]) == 1}
    unsure = set() if rules.ids == "shared" else several - sure
    warnings = []
    if unsure:
        samples = sum(name in unsure for name in names)
        at_two = _sets((one.study, one.site) for one in told if one.site)
        again = {
            name
            for name, one in zip(names, told, strict=True)
            if name in unsure and len(at_two.get(one.study, ())) > 1
        }
        warnings.append(undecided_ids(len(unsure), samples, len(again)))
    most = {
        name: max(sorted(found), key=found.__getitem__)
        for name, found in sites.items()
        if name in several - unsure
    }
    away = [
        row
        for row, (name, one) in enumerate(zip(names, told, strict=True))
        if name in most and one.site not in ("", most[name])
    ]
    if away and rules.second_site == "leave_out":
        left.update(dict.fromkeys(away, ELSEWHERE))
        warnings.append(
            f"{len(away):,} samples of {len(most):,} patients at more than one site are left out: "
            "they are not at the site of most of the patient's samples"
        )
    elif away:
        warnings.append(
            f"{len(most):,} patients are at more than one site: {len(away):,} samples are not at "
            "the site of most of the patient's, and go with them to that site's client; "
            "`patient: {ids: shared, second_site: leave_out}` leaves them out"
        )
    return len(unsure), warnings


def _about_numbers(patients: Sequence[str]) -> list[str]:
    rounded = sum(map(is_rounded, patients))
    if not rounded:
        return []
    return [
        f"{rounded:,} samples have a patient's id that a spreadsheet seems to have rounded (as in "
        "1.2E+11), so that several patients would be one: export the column as text"
    ]


def _sets(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Gather the second words by the first; empty words do not count."""
    found: dict[str, set[str]] = defaultdict(set)
    for first, second in pairs:
        if first and second:
            found[first].add(second)
    return found
