"""Names of people that tests plant in data, and the search for them in all that comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

PEOPLE = ("Ng^An", "Wu^Yu", "Zzhuber^Anneliese", "Müllerzz-Weißzz^Zoë", "Zzfile^Dicomzz", "李^娜")
TOKENS = ("ng_an", "ng an", "wu_yu", "wu yu", "ng^an", "wu^yu", "zzhuber", "anneliese", "müllerzz")
TOKENS += ("muellerzz", "weißzz", "zoë", "zzfile", "dicomzz", "李", "娜", "zzdoctor", "zzstreet")
TOKENS += ("zzid", "zzacc", "zzstudy", "19570313", "1957-03-13", "13.03.1957", "zzother", "zz^")
TOKENS += ("1.2.826.4711",)


def leaks(place: Path, said: str, known: Mapping[str, bytes] = MappingProxyType({})) -> list[str]:
    """Tokens in what was said, and in the names and bytes of what was written.

    Args:
        place: the working folder; names stand in its raw, params and given on purpose.
        said: by commands.
        known: what lay there before (``contents``), with what a test has planted.
    """
    found = [f"{token} in what was said" for token in tokens_in(said)]
    for path, content in contents(place).items():
        if known.get(path) != content:
            found += [f"{token} in the name of {path}" for token in tokens_in(path)]
            found += [f"{token} in {path}" for token in _tokens_of(place / path, content)]
    return found


def tokens_in(text: str) -> list[str]:
    low = text.lower()
    # Those of two short words also occur in sentences: ranki-ng an-d.
    return [one for one in TOKENS if one in low and re.search(rf"(?<![a-z]){re.escape(one)}", low)]


def _tokens_of(path: Path, content: bytes) -> list[str]:
    if path.suffix == ".npz":
        with np.load(path) as file:
            return tokens_in(" ".join(f"{name} {file[name]}" for name in file))
    try:
        text = content.decode()
    except UnicodeDecodeError:  # in random bytes short ones occur by chance
        return [one for one in tokens_in(content.decode("latin-1")) if len(one) > 4]
    return tokens_in(re.sub(r"base64,[\w+/=]+", "", text))


def contents(place: Path) -> dict[str, bytes]:
    """All that lies in the working folder but raw data and what a person wrote, by its path."""
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else b""
        for path in sorted(place.rglob("*"))
        if path.relative_to(place).parts[0] not in ("raw", "params", "given")
    }


def pictures(place: Path, number: int = 12) -> list[list[str]]:
    """Plain pictures, and rows of file, label, patient, site, age."""
    raw = place / "raw"
    raw.mkdir()
    rows = []
    for k in range(number):
        name = PEOPLE[k // 2 % len(PEOPLE)].replace("^", "_")
        pixels = np.random.default_rng(k).integers(0, 255, (12, 12)).astype(np.uint8)
        Image.fromarray(pixels).save(raw / f"{name}_{k}.png")
        label, site = ("sick", "well")[k // 2 % 2], ("north", "south")[k // 4 % 2]
        rows.append([f"{name}_{k}.png", label, name.replace("_", " "), site, str(30 + k)])
    return rows


def csv(rows: list[list[str]], header: str = "file,label,patient,site,age") -> str:
    return "\n".join([*filter(None, [header]), *(",".join(row) for row in rows)]) + "\n"
