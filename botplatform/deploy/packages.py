"""Python packages for another machine than this one: fetched as wheels for Lambda, compiled, kept for the next time."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from botplatform.errors import BotplatformError

Architecture = Literal["arm64", "x86_64"]
# AWS Lambda Developer Guide, "Lambda runtimes": Python 3.11 is on Amazon Linux 2 (glibc 2.26), later ones on
# Amazon Linux 2023 (glibc 2.34).
_GLIBC = {"3.11": 26, "3.12": 34, "3.13": 34, "3.14": 34}
_MACHINES: dict[str, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
# Where Lambda unpacks a bundle: the path in the code, so that tracebacks are right without being corrected at import.
_HOME = "/var/task"
# They differ between machines without making a difference.
_NOISE = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


class Target(NamedTuple):
    """What a bundle is for: a version of Python (`3.13`) and a processor."""

    python: str
    architecture: Architecture

    @property
    def runtime(self) -> str:
        """Lambda's name for that Python."""
        return f"python{self.python}"


def target(architecture: Architecture) -> Target:
    """Lambda with the Python that runs now, for which it can compile; raises BotplatformError when Lambda has none."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python not in _GLIBC:
        raise BotplatformError(f"Lambda has no Python {python}: deploy with one of {', '.join(_GLIBC)}")
    return Target(python, architecture)


def fetched(name: str, target: Target, lock: Path, cache: Path) -> Path:
    """The folder with a package for the target, compiled; from the cache if it was fetched before.

    The version is the one in the `lock` file (made by `uv pip compile --generate-hashes`), whose hashes the wheel has
    to have; where there is none, the version installed here. Raises BotplatformError when there is no such wheel.
    """
    wanted = _locked(lock, name) or f"{name}=={metadata.version(name)}"
    version = wanted.split()[0].partition("==")[2]
    folder = cache / f"{name}-{version}-python{target.python}-{target.architecture}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            fresh = Path(scratch) / "fresh"
            _install(wanted, target, fresh)
            compile_all(fresh)
            fresh.replace(folder)
    return folder


def compile_all(folder: Path) -> None:
    """Put byte code beside the sources, valid whatever their times; the same bytes for the same sources.

    Another process does it: what one has imported before gets into its byte code.
    """
    options = ["-q", "-s", str(folder), "-p", _HOME, "--invalidation-mode", "unchecked-hash"]
    _run([sys.executable, "-I", "-S", "-m", "compileall", *options, str(folder)], f"{folder.name} does not compile")


def copied(distribution: metadata.Distribution, folder: Path) -> None:
    """Copy an installed package that is pure Python; raises BotplatformError where only a reference to it is."""
    origin = distribution.read_text("direct_url.json") or ""
    if '"editable": true' in origin:
        raise BotplatformError(f"{distribution.name} is installed as editable: install it as it would be published")
    for file in distribution.files or ():
        if ".." not in file.parts and file.suffix != ".pyc" and file.name not in _NOISE:
            (folder / file.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(distribution.locate_file(file)), folder / file)


def required(
    distributions: Iterable[metadata.Distribution], without: Collection[str]
) -> dict[str, metadata.Distribution]:
    """Some installed packages and all that they need, by name, but for those in `without` and what only these need.

    What is not installed here is needed elsewhere: on other systems, or for an extra nobody asked for.
    """
    found: dict[str, metadata.Distribution] = {}
    todo = list(distributions)
    while todo:
        distribution = todo.pop()
        if distribution.name in {*found, *without}:
            continue
        found[distribution.name] = distribution
        todo += [needed for line in distribution.requires or () if (needed := _installed(line))]
    return dict(sorted(found.items()))


def _installed(requirement: str) -> metadata.Distribution | None:
    """The installed package that a requirement (PEP 508) names, but for one that belongs to an extra."""
    name = re.match(r"[\w.-]+", requirement)
    if name is None or "extra ==" in requirement:
        return None
    return next(iter(metadata.distributions(name=name[0])), None)


def _locked(lock: Path, name: str) -> str | None:
    """What the lock file says of a package, with its hashes."""
    if not lock.is_file():
        return None
    found = re.search(rf"^{re.escape(name)}==.*\\\n(?: +--hash=\S+(?: \\)?\n?)+", lock.read_text(), re.MULTILINE)
    return found[0] if found else None


def _install(wanted: str, target: Target, folder: Path) -> None:
    requirement = folder.parent / "requirement.txt"
    requirement.write_text(wanted)
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", target.python]
    command += [option for tag in _platforms(target) for option in ("--platform", tag)]
    package = wanted.split()[0]
    _run([*command, "--target", str(folder), "-r", str(requirement)], f"{package} cannot be fetched for Lambda")
    for path in folder.rglob("*.dist-info/*"):
        if path.name in _NOISE:
            path.unlink()
    shutil.rmtree(folder / "bin", ignore_errors=True)


def _platforms(target: Target) -> Iterator[str]:
    """The kinds of wheels that run on Lambda, newest first (PEP 600, and manylinux2014 of PEP 599)."""
    machine = _MACHINES[target.architecture]
    for glibc in range(_GLIBC[target.python], 16, -1):
        yield f"manylinux_2_{glibc}_{machine}"
    yield f"manylinux2014_{machine}"


def _run(command: list[str], otherwise: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = next((line for line in said if line.startswith("ERROR")), said[-1] if said else "")
        raise BotplatformError(f"{otherwise}: {reason.removeprefix('ERROR: ')}")
