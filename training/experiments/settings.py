"""The configuration of a study, read from TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

DEFAULT = Path(__file__).with_name("study.toml")
ALL = "all"


@dataclass(frozen=True)
class Images:
    """Images of the bank: voxels of ``spacing_mm`` along RAS; ``study.toml`` explains each."""

    spacing_mm: float
    window: tuple[int, int, int]
    margin: int
    renders: int
    held_out_cases: int
    held_out_renders: int
    scan_windows: int
    subcortical_renders: int


@dataclass(frozen=True)
class Network:
    """Filters of the DynUNet, by level."""

    filters: tuple[int, ...]


@dataclass(frozen=True)
class Training:
    """Supervised training and fine-tuning."""

    steps: int
    batch: int
    rate: float
    average: float
    warm_up: int


@dataclass(frozen=True)
class SelfSupervised:
    """Masked-image modelling with contrast-invariant features."""

    steps: int
    rate: float
    block: int
    hidden: float
    consistency: float
    temperature: float
    voxels: int


@dataclass(frozen=True)
class Transfer:
    """Pretraining on other subcortical labels."""

    steps: int
    rate: float
    raise_mm: float


@dataclass(frozen=True)
class FewShot:
    """Prototypes of few support cases."""

    steps: int
    rate: float
    support: tuple[int | str, ...]
    renders: int
    supervoxel: int
    pseudo_classes: int
    voxels: int
    grid: int


@dataclass(frozen=True)
class MeanTeacher:
    """Consistency with a teacher on unlabelled images."""

    labelled: int | str
    weight: float
    ramp: float
    real_share: float


@dataclass(frozen=True)
class Ingredients:
    """Ablation of what goes into a run."""

    labelled: int | str


@dataclass(frozen=True)
class Settings:
    """A whole study.

    Attributes
    ----------
    name : str
        Folder of the results under ``data/experiments``.
    seed : int
        Of everything that is drawn.
    budgets : tuple of int or ``"all"``
        Labelled anatomies of the curve.
    images, network, training, self_supervised, transfer, few_shot, mean_teacher, ingredients
        One section each.
    """

    name: str
    seed: int
    budgets: tuple[int | str, ...]
    images: Images
    network: Network
    training: Training
    self_supervised: SelfSupervised
    transfer: Transfer
    few_shot: FewShot
    mean_teacher: MeanTeacher
    ingredients: Ingredients


_SECTIONS = {
    "images": Images,
    "network": Network,
    "training": Training,
    "self_supervised": SelfSupervised,
    "transfer": Transfer,
    "few_shot": FewShot,
    "mean_teacher": MeanTeacher,
    "ingredients": Ingredients,
}


def read_settings(path: Path = DEFAULT) -> Settings:
    """Read a configuration file.

    Raises
    ------
    BrainstemALSError
        It is not there, is not TOML, or has a name too few, too many or of the wrong kind.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refusal(path, "this configuration could not be read as TOML") from error
    for name, kind in _SECTIONS.items():
        if not isinstance(table.get(name), dict):
            raise _refusal(path, f"the section [{name}] is missing")
        table[name] = _made(kind, table[name], path, f"[{name}]")
    settings = _made(Settings, table, path, "the top of the file")
    for count in (*settings.budgets, *settings.few_shot.support):
        if count != ALL and not (isinstance(count, int) and count > 0):
            raise _refusal(path, f"{count!r} is no number of labelled anatomies")
    levels = 2 ** (len(settings.network.filters) - 1)
    if any(size % levels for size in settings.images.window):
        raise _refusal(
            path, f"the window cannot be halved {len(settings.network.filters) - 1} times"
        )
    return settings


def _made(kind: type, table: dict[str, Any], path: Path, where: str) -> Any:
    wanted = {field.name: field.type for field in dataclasses.fields(kind)}
    if wrong := sorted(wanted.keys() ^ table.keys()):
        raise _refusal(path, f"{where} lacks or does not know: {', '.join(wrong)}")
    values = {}
    for name, value in table.items():
        if isinstance(value, list):
            value = tuple(value)
        if wanted[name] == "float" and isinstance(value, int):
            value = float(value)
        plain = {"int": int, "float": float, "str": str}.get(wanted[name])
        if (plain and type(value) is not plain) or (
            wanted[name].startswith("tuple") and not isinstance(value, tuple)
        ):
            raise _refusal(path, f"{name} in {where} is of the wrong kind")
        values[name] = value
    return kind(**values)


def _refusal(path: Path, problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        path, problem, "Compare it with training/experiments/study.toml.", ExitCode.USAGE
    )
