import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.volume import Volume

SHAPE = (64, 64, 72)


@pytest.fixture(scope="session")
def anatomy():
    """A toy brainstem of three cylinders with pyramids, in a white ball with a grey rim."""
    known = by_key()
    i, j, k = np.indices(SHAPE)
    labels = np.zeros(SHAPE, np.uint8)
    half = {"left": i < 32, "right": i >= 32}
    levels = {
        "midbrain_tegmentum": (52, 62, 14),
        "pontine_tegmentum": (32, 52, 14),
        "medullary_tegmentum": (8, 32, 9),
    }
    for stem, (low, high, radius) in levels.items():
        inside = ((i - 31.5) ** 2 + (j - 32) ** 2 <= radius**2) & (k >= low) & (k < high)
        for side, there in half.items():
            labels[inside & there] = known[f"{stem}_{side}"].index
    for side, x in (("left", 28), ("right", 35)):
        inside = ((i - x) ** 2 + (j - 37) ** 2 <= 9) & (k >= 8) & (k < 32)
        labels[inside] = known[f"pyramid_{side}"].index
    distance = np.sqrt((i - 31.5) ** 2 + (j - 32) ** 2 + (k - 36) ** 2)
    white = (distance < 25).astype(np.float32)
    grey = ((distance >= 25) & (distance < 28)).astype(np.float32)
    affine = np.array([[1.0, 0, 0, -32], [0, 1, 0, -60], [0, 0, 1, -70], [0, 0, 0, 1]])
    return Volume(labels, affine), Volume(white, affine), Volume(grey, affine)


@pytest.fixture(scope="session")
def patient(anatomy):
    from BrainstemALSLib.phantom import synthetic_patient

    return synthetic_patient(*anatomy, seed=3)
