"""What a parameter's type may be annotated with: its default and the values that it may take."""

from __future__ import annotations

import typing
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Default:
    """Value of a parameter that was never set."""

    value: object


@dataclass(frozen=True)
class Decimals:
    """Decimals that a spin box shows."""

    value: int


@dataclass(frozen=True)
class SingleStep:
    """Step of a spin box or slider."""

    value: float


class Validator:
    """Refuses values by ``validate(value)``, which raises ValueError."""

    def validate(self, value: object) -> None:
        """Raise ValueError if the parameter may not take the value."""
        raise NotImplementedError


@dataclass(frozen=True)
class WithinRange(Validator):
    """From minimum to maximum, both included."""

    minimum: float
    maximum: float

    def validate(self, value: object) -> None:
        """Raise ValueError outside the range."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} to {self.maximum}")


@dataclass(frozen=True)
class Minimum(Validator):
    """The minimum or more."""

    minimum: float

    def validate(self, value: object) -> None:
        """Raise ValueError below it."""
        if value < self.minimum:
            raise ValueError(f"{value} is less than {self.minimum}")


@dataclass(frozen=True)
class Maximum(Validator):
    """The maximum or less."""

    maximum: float

    def validate(self, value: object) -> None:
        """Raise ValueError above it."""
        if value > self.maximum:
            raise ValueError(f"{value} is more than {self.maximum}")


@dataclass(frozen=True)
class Choice(Validator):
    """One of some values."""

    choices: Collection

    def validate(self, value: object) -> None:
        """Raise ValueError for any other."""
        if value not in self.choices:
            raise ValueError(f"{value} is none of {self.choices}")


@dataclass(frozen=True)
class Exclude(Validator):
    """Any but some values."""

    excludedValues: Collection

    def validate(self, value: object) -> None:
        """Raise ValueError for these."""
        if value in self.excludedValues:
            raise ValueError(f"{value} is one of {self.excludedValues}")


@dataclass(frozen=True)
class NotNone(Validator):
    """Any but None."""

    def validate(self, value: object) -> None:
        """Raise ValueError for None."""
        if value is None:
            raise ValueError("a value is needed, not None")


PUBLIC = (
    Choice,
    Decimals,
    Default,
    Exclude,
    Maximum,
    Minimum,
    NotNone,
    SingleStep,
    Validator,
    WithinRange,
)


def split(hint: object) -> tuple[object, tuple]:
    """Return type and annotations of a type hint."""
    if typing.get_origin(hint) is typing.Annotated:
        kind, *annotations = typing.get_args(hint)
        return kind, tuple(annotations)
    return hint, ()


def first(annotations: tuple, kind: type) -> object | None:
    """Return the first annotation of a class, or None."""
    return next((found for found in annotations if isinstance(found, kind)), None)
