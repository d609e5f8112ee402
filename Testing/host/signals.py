"""``object.connect("signal(type)", callable)``, which PythonQt has beside ``signal.connect``."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore

_TYPES = {"int": int, "bool": bool, "double": float, "QString": str}


def _signal(sender: QtCore.QObject, signature: str) -> object:
    name, _, arguments = signature.partition("(")
    signal = getattr(sender, name, None)
    if not hasattr(signal, "connect"):
        raise AttributeError(f"{sender.className()} has no signal {signature}")
    types = tuple(_TYPES.get(part) for part in arguments.rstrip(")").split(",") if part)
    if types and None not in types:
        try:
            return signal[types if len(types) > 1 else types[0]]
        except (IndexError, KeyError):
            pass  # one signal, no overloads
    return signal


def _by_signature(arguments: tuple) -> bool:
    """Say whether this is PythonQt's way; PySide6's own code passes objects or coded signatures."""
    if len(arguments) != 2 or not isinstance(arguments[0], str) or not callable(arguments[1]):
        return False
    return not arguments[0][:1].isdigit()


def connecting(sender: QtCore.QObject, name: str, plain: Callable) -> Callable[..., object]:
    """Return ``sender.connect`` or ``sender.disconnect``.

    Parameters
    ----------
    name : str
        ``connect`` or ``disconnect``.
    plain : callable
        PySide6's own, for its own calls.

    Returns
    -------
    callable
        Takes a signature as in C++, such as ``"clicked()"``, and a function. Raises AttributeError
        if there is no such signal; PythonQt would return False.
    """

    def connect(*arguments: object, **options: object) -> object:
        if not _by_signature(arguments):
            return plain(*arguments, **options)
        signature, slot = arguments
        getattr(_signal(sender, signature), name)(slot)
        return True

    return connect
