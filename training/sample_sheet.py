"""Draws a sheet of simulated training windows, to be looked at.

python -m training.sample_sheet [--out docs/synthesis-samples.png] [--seed 206]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES

from .anatomies import built_cases
from .data import repository
from .montage import label_colours
from .samples import prepared_anatomy
from .synthesis import channel_table, training_sample

ROWS = 6
WIDTH = len(CHANNELS) + 1
LIMITS = (-2.5, 2.5)  # of the normalised channels


def draw(path: Path, seed: int, cases: list[str]) -> Path:
    """Write the sheet: one row per simulated exam, sagittal and axial, its channels and labels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(20, 2.2 * ROWS), facecolor="black")
    axes = figure.subplots(ROWS, 2 * WIDTH)
    table = channel_table().numpy()
    value = np.zeros(table.max() + 1, int)
    value[table[table > 0]] = np.flatnonzero(table)
    for row, number in enumerate(range(seed, seed + ROWS)):
        channels, classes = training_sample(prepared_anatomy(cases[row % len(cases)]), number)
        colours = label_colours()[value[classes.numpy()]]
        cuts = (
            (classes.shape[0] // 2 + 3, slice(None), slice(None)),
            (slice(None), slice(None), classes.shape[2] // 2),
        )
        for part, cut in enumerate(cuts):
            first = 0
            for column, name in enumerate(CHANNELS):
                planes = np.asarray(channels[first : first + PLANES[name]])
                first += PLANES[name]
                image = (np.moveaxis(planes, 0, -1)[cut] - LIMITS[0]) / (LIMITS[1] - LIMITS[0])
                axis = axes[row, WIDTH * part + column]
                axis.imshow(
                    image.clip(0, 1).swapaxes(0, 1), origin="lower", cmap="gray", vmin=0, vmax=1
                )
                if row == 0:
                    axis.set_title(f"simulated {name.upper()}", color="white", fontsize=9)
            axes[row, WIDTH * part + WIDTH - 1].imshow(colours[cut].swapaxes(0, 1), origin="lower")
    for axis in axes.ravel():
        axis.axis("off")
    figure.tight_layout(pad=0.3)
    FigureCanvasAgg(figure).print_figure(str(path), dpi=70, facecolor="black")
    return path


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=repository() / "docs/synthesis-samples.png")
    parser.add_argument("--seed", type=int, default=206)
    arguments = parser.parse_args()
    print(draw(arguments.out, arguments.seed, built_cases(held_out=False)[::9]))


if __name__ == "__main__":
    main()
