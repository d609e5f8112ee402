"""Makes pictures of docs small enough for a clone: ``python -m tools.shrink_pictures FILE...``

Each is drawn at 55 % of its size with 256 colours: greys, and the colours that stand in it, each
counted once, so that thin outlines keep theirs. With ``--palette`` the size stays: for pictures of
the panel. Look at what comes out; run it once per picture.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

SCALE, COLOURS, GREYS = 0.55, 176, 80
COLOURED = 20
"""Difference between the channels of a pixel from which it is no grey."""


def shrunk(picture: Image.Image) -> Image.Image:
    """Return a picture smaller, with a palette."""
    size = (round(picture.width * SCALE), round(picture.height * SCALE))
    small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(small).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels.astype(int), axis=1) > COLOURED]
    palette = [int(v) for level in np.linspace(0, 255, GREYS).round() for v in [level] * 3]
    if len(coloured):
        different = np.unique(coloured // 8 * 8, axis=0).astype(np.uint8)
        median = Image.Quantize.MEDIANCUT
        found = Image.fromarray(different[None]).quantize(COLOURS, method=median)
        palette = [*(found.getpalette() or [])[: 3 * COLOURS], *palette]
    reference = Image.new("P", (1, 1))
    reference.putpalette((palette + [0] * 768)[:768])
    return small.quantize(palette=reference, dither=Image.Dither.NONE)


def recoloured(picture: Image.Image) -> Image.Image:
    """Return a picture of the same size with a palette that covers its colours."""
    return picture.convert("RGB").quantize(
        COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )


def main() -> None:
    """Command line."""
    make = recoloured if "--palette" in sys.argv[1:] else shrunk
    for name in sys.argv[1:]:
        if name == "--palette":
            continue
        path = Path(name)
        before = path.stat().st_size
        with Image.open(path) as picture:
            small = make(picture)
        small.save(path, optimize=True)
        print(f"{path.name}: {before >> 10} -> {path.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
