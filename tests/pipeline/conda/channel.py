"""A conda channel in a folder: `python` (this interpreter, linked) and `pip`, as real packages."""

from __future__ import annotations

import ensurepip
import hashlib
import io
import json
import platform
import sys
import tarfile
import zipfile
from pathlib import Path

VERSION = platform.python_version()
SHORT = ".".join(VERSION.split(".")[:2])
PLATFORM = "linux-64" if platform.machine() == "x86_64" else f"linux-{platform.machine()}"


def write_channel(folder: Path) -> None:
    """Write the two packages and the channel's index."""
    real = Path(sys.executable).resolve()
    settings = f"home = {real.parent}\nversion = {VERSION}\nexecutable = {real}\n"
    links = {f"bin/{name}": str(real) for name in ("python", "python3", f"python{SHORT}")}
    records = _package(folder, "python", VERSION, {"pyvenv.cfg": settings.encode()}, links, [])

    wheel = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    site = f"lib/python{SHORT}/site-packages"
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        files = {f"{site}/{name}": archive.read(name) for name in names}
    records |= _package(folder, "pip", wheel.name.split("-")[1], files, {}, ["python"])

    for subdir, packages in ((PLATFORM, records), ("noarch", {})):
        (folder / subdir).mkdir(exist_ok=True)
        index = {"info": {"subdir": subdir}, "packages": packages, "packages.conda": {}}
        (folder / subdir / "repodata.json").write_text(json.dumps(index | {"repodata_version": 1}))


def _package(
    folder: Path,
    name: str,
    version: str,
    files: dict[str, bytes],
    links: dict[str, str],
    depends: list[str],
) -> dict[str, dict]:
    about = {"name": name, "version": version, "build": "0", "build_number": 0}
    about |= {"depends": depends, "subdir": PLATFORM, "license": "none"}
    paths = [_path(path, "hardlink", content) for path, content in files.items()]
    paths += [_path(path, "softlink", Path(to).read_bytes()) for path, to in links.items()]
    content = {
        "info/index.json": json.dumps(about).encode(),
        "info/paths.json": json.dumps({"paths_version": 1, "paths": paths}).encode(),
        "info/files": "\n".join([*files, *links]).encode(),
        "info/about.json": b"{}",
        **files,
    }
    target = folder / PLATFORM / f"{name}-{version}-0.tar.bz2"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:bz2", compresslevel=1) as archive:
        for path, data in content.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
        for path, to in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, to
            archive.addfile(member)
    data = target.read_bytes()
    sums = {kind: hashlib.new(kind, data).hexdigest() for kind in ("md5", "sha256")}
    return {target.name: about | sums | {"size": len(data)}}


def _path(name: str, kind: str, content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    return {"_path": name, "path_type": kind, "sha256": digest, "size_in_bytes": len(content)}
