"""Turns what pip says into one sentence that says what to do."""

from __future__ import annotations

import re

from ..errors import BrainstemALSError, ExitCode


class InstallError(BrainstemALSError):
    """A refusal of the installation, with what pip said apart from the sentence.

    Attributes
    ----------
    details : str
        Raw output, for a log that opens on request; may hold paths of this computer.
    """

    def __init__(
        self,
        problem: str,
        remedy: str,
        details: str = "",
        subject: str = "Installation",
        code: ExitCode = ExitCode.MISSING_PACKAGE,
    ):
        super().__init__(subject, problem, remedy, code)
        self.details = details


class InstallCancelled(InstallError):  # noqa: N818 - not an error, and named like WorkerCancelled
    """The user stopped it."""

    def __init__(self, details: str = ""):
        super().__init__(
            "it was cancelled",
            "Start it again at any time; what was half done is done over.",
            details,
            code=ExitCode.INTERRUPTED,
        )


_OFFLINE = "or install from a folder of packages."
# The first that matches wins. Without a network, pip retries, warns, and then claims that no
# version exists: what names the network therefore stands before what names a version.
_KNOWN: tuple[tuple[str, str, str, ExitCode], ...] = (
    (
        r"No space left on device|\[Errno 28\]|WinError 112|not enough space on the disk",
        "the disk is full",
        "Free some space (a CUDA build of PyTorch takes about 8 GB) and start again.",
        ExitCode.OUTPUT_REFUSED,
    ),
    (
        r"WinError 32\b|being used by another process",
        "a file of the package is in use",
        "Restart Slicer and install before anything else uses PyTorch.",
        ExitCode.OUTPUT_REFUSED,
    ),
    (
        r"Permission denied|\[Errno 13\]|WinError 5\b|Access is denied|Read-only file system",
        "Slicer's folder cannot be written to",
        "Start Slicer as somebody who may write there, or install Slicer in your own folder.",
        ExitCode.OUTPUT_REFUSED,
    ),
    (
        r"ProxyError|Cannot connect to proxy|Tunnel connection failed|\b407\b.*[Pp]roxy",
        "the proxy of this network refuses the connection",
        f"Ask your IT department for pip's proxy setting, {_OFFLINE}",
        ExitCode.MISSING_PACKAGE,
    ),
    (
        r"SSLError|CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError",
        "the certificate of the server is not trusted, as in networks that inspect traffic",
        f"Ask your IT department for pip's certificate setting, {_OFFLINE}",
        ExitCode.MISSING_PACKAGE,
    ),
    (
        r"getaddrinfo failed|[Nn]ame or service not known|[Nn]ame resolution|nodename nor servname"
        r"|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Max retries exceeded"
        r"|Connection refused|Network is unreachable|Connection reset|ConnectionResetError"
        r"|Connection broken|IncompleteRead",
        "the package index cannot be reached",
        f"Check the internet connection, {_OFFLINE}",
        ExitCode.MISSING_PACKAGE,
    ),
    (
        r"DO NOT MATCH THE HASHES|BadZipFile|Bad magic number for file|is invalid\b.*[Ww]heel"
        r"|[Ww]heel\b.*\bis invalid|has an invalid wheel|File is not a zip file|bad CRC",
        "a package arrived damaged",
        "Start again; from a folder, copy the package again.",
        ExitCode.MISSING_PACKAGE,
    ),
    (
        r"not a supported wheel on this platform",
        "a package is made for another system or another Python",
        "Get the package for this system and this Slicer's Python.",
        ExitCode.MISSING_PACKAGE,
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "what is needed does not fit the packages that Slicer brings",
        "Install into a newer Slicer, or ask the maintainers.",
        ExitCode.MISSING_PACKAGE,
    ),
    (
        r"No module named pip\b",
        "this Python has no pip",
        "Install Slicer again; its Python brings pip.",
        ExitCode.MISSING_PACKAGE,
    ),
)
_NO_MATCH = re.compile(r"No matching distribution found for ([^\s(;]+)")


def explain(code: int, text: str) -> InstallError:
    """Return what a failed pip comes down to.

    Parameters
    ----------
    code : int
        Exit code.
    text : str
        Everything that pip wrote.
    """
    for pattern, problem, remedy, kind in _KNOWN:
        if re.search(pattern, text):
            return InstallError(problem, remedy, text, code=kind)
    found = _NO_MATCH.search(text)
    if found:
        return InstallError(
            f"no package {found.group(1)} is offered for this system and this Python",
            "Use a Slicer of the supported versions (5.10 to 5.12), or install from a folder.",
            text,
        )
    return InstallError(
        f"pip ended with code {code}",
        "Open the details for what it said; they help the maintainers too.",
        text,
    )
