"""Looks through a folder of wheels, for computers without internet, before any is installed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import Any

from .failures import InstallError
from .interpreter import Interpreter
from .standards import packaging

_SUBJECT = "Folder of packages"


@dataclass(frozen=True)
class Wheel:
    """A wheel that fits.

    Attributes
    ----------
    path : Path
    name : str
        Normalized.
    version : str
    """

    path: Path
    name: str
    version: str


def survey(folder: Path, wanted: Iterable[str], interpreter: Interpreter) -> tuple[Wheel, ...]:
    """Return the wheels of a folder that an installation would take, with all they need in turn.

    Parameters
    ----------
    folder : Path
    wanted : iterable of str
        Requirements that are to be installed.
    interpreter : Interpreter
        What they have to fit.

    Raises
    ------
    InstallError
        There is no wheel in the folder, one is damaged, or some are missing; all are named.
    """
    there = _by_name(folder)
    requirement = packaging("requirements").Requirement
    normalized = packaging("utils").canonicalize_name
    installed = interpreter.installed()
    asked = [requirement(text) for text in wanted]
    to_replace = {normalized(item.name) for item in asked}
    chosen: dict[str, Wheel] = {}
    lacking: dict[str, str] = {}
    while asked:
        item = asked.pop(0)
        name = normalized(item.name)
        held = chosen[name].version if name in chosen else installed.get(name)
        fits = held is not None and item.specifier.contains(held, prereleases=True)
        if fits and (name in chosen or name not in to_replace):
            continue
        wheel = _best(there.get(name, []), item.specifier, interpreter.tags)
        if wheel is None:
            lacking[name] = _reason(item, there.get(name, []), interpreter)
            continue
        chosen[name] = wheel
        asked.extend(_needs(wheel.path, item.extras, interpreter.markers))
    if lacking:
        raise InstallError(
            "; ".join(lacking.values()),
            "Put the missing wheels into the folder; the user guide has the command that "
            "downloads them all on a computer with internet.",
            subject=_SUBJECT,
        )
    return tuple(chosen.values())


def _by_name(folder: Path) -> dict[str, list[tuple[Path, Any, frozenset[str]]]]:
    """Path, version and tags of every wheel, by normalized name."""
    utils = packaging("utils")
    found: dict[str, list[tuple[Path, Any, frozenset[str]]]] = {}
    for path in sorted(folder.glob("*.whl")) if folder.is_dir() else ():
        try:
            name, version, _, tags = utils.parse_wheel_filename(path.name)
        except ValueError:
            continue  # not named as a wheel, so pip would not look at it either
        found.setdefault(name, []).append((path, version, frozenset(map(str, tags))))
    if not found:
        raise InstallError(
            "there is no wheel (.whl) in it",
            "Choose the folder that holds the downloaded packages.",
            subject=_SUBJECT,
        )
    return found


def _best(wheels: list, specifier: Any, tags: tuple[str, ...]) -> Wheel | None:
    """The newest version that does; of its wheels, the most specific that fits."""
    order = {tag: position for position, tag in enumerate(tags)}
    fitting = [
        (version, -min(order[tag] for tag in kinds if tag in order), path)
        for path, version, kinds in wheels
        if specifier.contains(version, prereleases=True) and kinds & order.keys()
    ]
    if not fitting:
        return None
    version, _, path = max(fitting)
    name = packaging("utils").parse_wheel_filename(path.name)[0]
    return Wheel(path, name, str(version))


def _needs(path: Path, extras: Iterable[str], markers: dict[str, str]) -> list[Any]:
    """What a wheel needs under these markers."""
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(
                name for name in archive.namelist() if name.endswith(".dist-info/METADATA")
            )
            text = archive.read(entry).decode("utf-8")
    except (OSError, zipfile.BadZipFile, StopIteration, UnicodeDecodeError) as error:
        raise InstallError(
            f"{path.name} is damaged", "Copy that file again.", str(error), _SUBJECT
        ) from error
    needed = []
    for line in Parser().parsestr(text).get_all("Requires-Dist") or ():
        item = packaging("requirements").Requirement(line)
        choices = [{**markers, "extra": extra} for extra in ("", *extras)]
        if item.marker is None or any(item.marker.evaluate(choice) for choice in choices):
            needed.append(item)
    return needed


def _reason(item: Any, wheels: list, interpreter: Interpreter) -> str:
    wanted = f"{item.name}{item.specifier}"
    if not wheels:
        return f"there is no {wanted}"
    versions = [wheel for wheel in wheels if item.specifier.contains(wheel[1], prereleases=True)]
    if not versions:
        return f"{item.name} {wheels[-1][1]} is there, but {wanted} is needed"
    return (
        f"{versions[-1][0].name} is made for another system or Python, this is "
        f"{interpreter.tags[0]}"
    )
