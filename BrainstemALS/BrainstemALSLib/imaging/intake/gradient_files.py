"""Reads the two text files beside a diffusion series: b-values and directions, as FSL has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import BrainstemALSError, ExitCode
from ..dwi import B0_LIMIT

# A gradient table has as many numbers as there are volumes; no series comes near a megabyte.
_LONGEST_FILE = 1 << 20
_EXPORT = "Export the gradient table again, for example with dcm2niix."


def unsuitable(subject: Path | str, problem: str, remedy: str = _EXPORT) -> BrainstemALSError:
    """Return the refusal of diffusion that cannot be used."""
    return BrainstemALSError(subject, problem, remedy, ExitCode.UNSUITABLE_DIFFUSION)


def read_bvals(path: Path, n_volumes: int) -> np.ndarray:
    """Read b-values, in one row or one column.

    Parameters
    ----------
    path : Path
    n_volumes : int
        Of the image.

    Returns
    -------
    numpy.ndarray, shape (n_volumes,)
        s/mm2.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: missing, no numbers, another count than the image, or impossible.
    """
    table = _numbers(path, "bval")
    if min(table.shape) != 1:
        rows, columns = table.shape
        raise unsuitable(
            path,
            f"the bval file has {rows} rows of {columns} numbers, but b-values are one row",
            "Check that the bval and bvec files are not swapped.",
        )
    bvals = table.ravel()
    if len(bvals) != n_volumes:
        raise unsuitable(
            path,
            f"the bval file has {len(bvals)} b-values, but the image has {n_volumes} volumes",
        )
    if not np.isfinite(bvals).all() or bvals.min() < 0:
        raise unsuitable(path, "the bval file holds values below 0 or that are not numbers")
    return bvals


def read_bvecs(path: Path, bvals: np.ndarray) -> tuple[np.ndarray, bool]:
    """Read directions: three rows, as FSL writes them, or one row per volume.

    With three volumes the two look alike; FSL's way is taken then.

    Parameters
    ----------
    path : Path
    bvals : numpy.ndarray, shape (n,)
        As many directions are needed; where they are 0, a direction need not be a number.

    Returns
    -------
    bvecs : numpy.ndarray, shape (n, 3)
        As in the file; zeros for unweighted volumes.
    transposed : bool
        Whether the file has one row per volume.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: missing, no numbers, another count, or not three numbers for each.
    """
    table, n = _numbers(path, "bvec"), len(bvals)
    transposed = table.shape == (n, 3) and n != 3
    if not transposed:
        if table.shape[0] != 3 and table.shape[1] != 3:
            raise unsuitable(
                path,
                f"the bvec file has {table.shape[0]} rows of {table.shape[1]} numbers, but "
                f"directions are 3 rows of {n}",
            )
        found = table.shape[1] if table.shape[0] == 3 else table.shape[0]
        if found != n:
            raise unsuitable(
                path, f"the bvec file has {found} directions, but the image has {n} volumes"
            )
        table = table.T
    weighted = bvals > B0_LIMIT
    # An unweighted volume has no direction: some programs write "nan nan nan" there.
    vectors = np.where(weighted[:, None], table, 0.0)
    if not np.isfinite(vectors).all():
        raise unsuitable(
            path, "the bvec file has directions of weighted volumes that are not numbers"
        )
    return vectors, transposed


def _numbers(path: Path, what: str) -> np.ndarray:
    """Return the table of a text file, shape (rows, columns)."""
    try:
        with path.open("rb") as handle:
            text = handle.read(_LONGEST_FILE).decode("utf-8-sig")
    except FileNotFoundError:
        raise unsuitable(path, f"there is no such {what} file", "Check the path.") from None
    except (OSError, UnicodeDecodeError):
        raise unsuitable(path, f"this {what} file cannot be read as text") from None
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    if not rows:
        raise unsuitable(path, f"this {what} file is empty")
    try:
        values = [[float(word) for word in row] for row in rows]
    except ValueError:
        raise unsuitable(path, f"this {what} file holds something other than numbers") from None
    if len({len(row) for row in values}) > 1:
        counts = ", ".join(str(count) for count in sorted({len(row) for row in values}))
        raise unsuitable(path, f"the rows of this {what} file differ in length ({counts} numbers)")
    return np.array(values)
