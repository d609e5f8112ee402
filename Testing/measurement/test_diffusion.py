"""Diffusion values against maps whose tissue values are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import measure
from BrainstemALSLib.measurement.corrected import corrected
from BrainstemALSLib.measurement.diffusion import diffusion_values
from BrainstemALSLib.measurement.mixture import mixture_of, support_of
from BrainstemALSLib.measurement.volumes import volume_by_key
from BrainstemALSLib.measurement.weighting import effective_number
from BrainstemALSLib.segmentation.field_of_view import filled_extent

SIZE = (64.0, 64.0, 96.0)


def rows_of(segmentation, maps):
    return {(row.key, row.metric): row for row in diffusion_values(segmentation, maps)}


def tilted(make_grid, spacing=(2.2, 2.0, 2.5), angles=(12.0, -8.0, 5.0)):
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return make_grid(spacing, SIZE, rotation)


def plain_mean(segmentation, volume, key):
    """Mean over the voxels weighted by the share of the structure alone."""
    mixture = mixture_of(support_of(segmentation), volume.array.shape, volume.affine, None)
    share = mixture.together((key,))
    return float(np.average(volume.array[tuple(mixture.voxels.T)], weights=share))


def test_values_are_right_where_a_plain_mean_is_biased(segmentation, truth, make_maps, make_grid):
    maps = make_maps(truth, *tilted(make_grid))
    rows = rows_of(segmentation, maps)

    for key in ("basis_pontis_left", "midbrain_tegmentum_right", "medullary_tegmentum_left"):
        expected = truth[key]["md"]
        assert rows[key, "md"].value == pytest.approx(expected, rel=0.03)
        assert rows[key, "fa"].value == pytest.approx(truth[key]["fa"], abs=0.02)
        assert plain_mean(segmentation, maps["md"], key) > 1.15 * expected
        assert rows[key, "md"].fluid_share < 0.03


def test_sides_are_the_patients_own(segmentation, truth, make_maps, make_grid):
    """Whichever way the axes of the maps run."""
    shape, affine = make_grid((2.0, 2.0, 2.0), SIZE)
    maps = make_maps(truth, shape, affine)
    mirror = np.diag([-1.0, 1.0, -1.0, 1.0])
    mirror[[0, 2], 3] = shape[0] - 1, shape[2] - 1
    turned = {k: Volume(v.array[::-1, :, ::-1], v.affine @ mirror) for k, v in maps.items()}

    for given_maps in (maps, turned):
        rows = rows_of(segmentation, given_maps)
        left, right = (rows[f"basis_pontis_{side}", "fa"] for side in ("left", "right"))
        assert left.value == pytest.approx(truth["basis_pontis_left"]["fa"], abs=0.01)
        assert right.value == pytest.approx(truth["basis_pontis_right"]["fa"], abs=0.01)
        assert (left.side, right.side) == ("left", "right")


@settings(max_examples=8, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    shift=st.tuples(*[st.floats(-50, 50)] * 3),
)
def test_moving_segmentation_and_maps_together_changes_nothing(
    segmentation, truth, make_maps, make_grid, angles, shift
):
    maps = make_maps(truth, *tilted(make_grid))
    move = np.eye(4)
    move[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    move[:3, 3] = shift

    def moved(volume):
        return Volume(volume.array, move @ volume.affine)

    parts = {n: moved(getattr(segmentation, n)) for n in ("labels", "entropy", "probabilities")}
    before = rows_of(segmentation, maps)
    after = rows_of(
        dataclasses.replace(segmentation, **parts), {k: moved(v) for k, v in maps.items()}
    )
    assert before.keys() == after.keys()
    for place, row in before.items():
        assert after[place].value == pytest.approx(row.value, rel=1e-3)
        assert after[place].n_effective == pytest.approx(row.n_effective, rel=0.02)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_effective_number_counts_equal_weights(scale):
    assert effective_number(scale * np.array([1.0, 1.0, 0.0, 1.0, 1.0])) == pytest.approx(4.0)
    assert effective_number(np.array([1.0, 0.5])) == pytest.approx(1.8)
    assert effective_number(np.zeros(3)) == 0.0


def cube_of_labels(make_segmentation, key="basis_pontis_left"):
    """A cube of 12 mm on a T1 of 1 mm, as labels alone."""
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -15.5
    labels = np.zeros((32, 32, 32), np.uint8)
    labels[10:22, 10:22, 10:22] = by_key()[key].index
    any_one = make_segmentation({key: ((0, 0, 0), 3.0)}, labels.shape, affine)
    return dataclasses.replace(any_one, labels=Volume(labels, affine), probabilities=None)


def aligned(value, shape=(16, 16, 16)):
    """A map of 2 mm whose voxels are 2 x 2 x 2 of the cube's T1."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -15.0
    return Volume(np.full(shape, value, np.float32), affine)


def test_labels_alone_give_the_voxels_that_touch_no_fluid(make_segmentation):
    """Of 6 x 6 x 6 voxels the 4 x 4 x 4 inner ones have no neighbour outside."""
    row = rows_of(cube_of_labels(make_segmentation), {"fa": aligned(0.5)})[
        "basis_pontis_left", "fa"
    ]
    assert row.value == pytest.approx(0.5)
    assert row.n_effective == pytest.approx(64.0)
    assert row.weight_mm3 == pytest.approx(64 * 8.0)
    assert row.sd == row.standard_error == pytest.approx(0.0, abs=1e-6)


def test_the_standard_error_is_that_of_independent_voxels(make_segmentation):
    noisy = aligned(0.5)
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.05, noisy.array.shape)
    segmentation = cube_of_labels(make_segmentation)
    row = rows_of(segmentation, {"fa": Volume(noisy.array + noise, noisy.affine)})[
        "basis_pontis_left", "fa"
    ]
    inner = (noisy.array + noise)[6:10, 6:10, 6:10]
    assert row.value == pytest.approx(inner.mean())
    assert row.sd == pytest.approx(inner.std(ddof=1))
    assert row.standard_error == pytest.approx(inner.std(ddof=1) / 8)
    assert row.uncertainty >= row.standard_error


def test_tissue_beside_a_structure_is_not_taken_for_fluid(make_segmentation):
    segmentation = cube_of_labels(make_segmentation)
    maps = {"fa": aligned(0.5), "md": aligned(0.75)}
    beside_tissue = rows_of(segmentation, maps)["basis_pontis_left", "fa"]
    wet = aligned(3.0)
    wet.array[5:11, 5:11, 5:11] = 0.75
    beside_fluid = rows_of(segmentation, {**maps, "md": wet})["basis_pontis_left", "fa"]

    assert beside_tissue.n_effective > 1.5 * beside_fluid.n_effective
    assert beside_fluid.n_effective == pytest.approx(64.0)


def test_shares_keep_the_volume_on_any_grid(segmentation, make_grid):
    support = support_of(segmentation)
    for spacing in ((1.2, 1.2, 1.2), (2.0, 2.5, 3.0)):
        shape, affine = tilted(make_grid, spacing)
        mixture = mixture_of(support, shape, affine, None)
        for key in segmentation.keys:
            total = mixture.together((key,)).sum() * mixture.voxel_volume
            assert total == pytest.approx(support.volume_mm3((key,)), rel=0.03)


def test_composites_are_measured_as_one(segmentation, truth, make_maps, make_grid):
    rows = rows_of(segmentation, make_maps(truth, *make_grid((2.0, 2.0, 2.0), SIZE)))
    assert {key for key, _ in rows} >= {"pons", "brainstem", "corticospinal_tract_left"}
    pons = rows["pons", "fa"]
    assert (pons.kind, pons.side) == ("composite", "both")
    values = [truth[k]["fa"] for k in composites()["pons"] if k in truth]
    assert min(values) < pons.value < max(values)
    # A voxel that two members share is pure for both together.
    parts = [rows[key, "fa"].weight_mm3 for key in composites()["pons"] if key in truth]
    assert pons.weight_mm3 > sum(parts)


def test_a_thin_structure_gets_no_value_and_a_reason(make_segmentation, make_grid):
    grid = make_grid((1.0, 1.0, 1.0), (24.0, 24.0, 24.0))
    thin = make_segmentation({"red_nucleus_left": ((0, 0, 0), 1.6)}, *grid)
    shape, affine = make_grid((2.5, 2.5, 2.5), (24.0, 24.0, 24.0))
    maps = {"md": Volume(np.full(shape, 0.8, np.float32), affine)}
    row = rows_of(thin, maps)["red_nucleus_left", "md"]
    assert row.value is None
    assert "too thin" in row.remark


def test_fluid_all_around_gives_no_value_and_a_reason(make_segmentation, make_grid):
    grid = make_grid((1.0, 1.0, 1.0), (30.0, 30.0, 30.0))
    small = make_segmentation({"pyramid_left": ((0, 0, 0), 3.2)}, *grid)
    shape, affine = make_grid((2.0, 2.0, 2.0), (30.0, 30.0, 30.0))
    row = rows_of(small, {"fa": Volume(np.full(shape, 0.5, np.float32), affine)})[
        "pyramid_left", "fa"
    ]
    assert row.value is None
    assert "fluid" in row.remark


def test_what_the_map_does_not_show(segmentation, truth, make_maps, make_grid):
    maps = make_maps(truth, *make_grid((2.0, 2.0, 2.0), SIZE))
    fa = maps["fa"]
    middle = np.linalg.solve(fa.affine, [0, 0, -22.0, 1.0])[2]
    cut = fa.array.copy()
    cut[:, :, : int(middle) + 2] = 0  # outside the mask
    row = rows_of(segmentation, {"fa": Volume(cut, fa.affine)})["medulla", "fa"]
    assert row.value is None
    assert row.remark.startswith("the map shows only")
    elsewhere = Volume(fa.array, fa.affine.copy())
    elsewhere.affine[:3, 3] += 500.0
    far = diffusion_values(segmentation, {"fa": elsewhere})
    assert far
    assert all(row.value is None for row in far)


def test_fluid_spaces_have_no_diffusion_value(make_segmentation, make_grid):
    grid = make_grid((1.0, 1.0, 1.0), (40.0, 30.0, 30.0))
    spheres = {
        "fourth_ventricle": ((-8.0, 0, 0), 6.0),
        "pontine_tegmentum_left": ((6.0, 0, 0), 7.0),
    }
    maps = {"md": Volume(np.full(grid[0], 0.8, np.float32), grid[1])}
    keys = {row.key for row in diffusion_values(make_segmentation(spheres, *grid), maps)}
    assert "pontine_tegmentum_left" in keys
    assert "fourth_ventricle" not in keys


def test_maps_of_two_grids_and_only_the_metrics_that_are_there(
    segmentation, truth, make_maps, make_grid
):
    fine = make_maps(truth, *make_grid((1.5, 1.5, 1.5), SIZE))
    coarse = make_maps(truth, *tilted(make_grid))
    rows = rows_of(segmentation, {"fa": coarse["fa"], "md": fine["md"], "v1": fine["fa"]})
    assert {metric for _, metric in rows} == {"fa", "md"}
    for metric in ("fa", "md"):
        expected = truth["basis_pontis_right"][metric]
        assert rows["basis_pontis_right", metric].value == pytest.approx(expected, abs=0.02)
    assert (
        rows["basis_pontis_right", "md"].n_effective > rows["basis_pontis_right", "fa"].n_effective
    )


def test_without_maps_there_is_nothing(segmentation, t1):
    assert measure(segmentation, t1).diffusion == ()
    assert measure(segmentation, t1, {}).diffusion == ()


def test_a_correction_moves_the_values(segmentation, t1, truth, make_maps, make_grid):
    maps = make_maps(truth, *make_grid((2.0, 2.0, 2.0), SIZE))
    labels = segmentation.labels.array.copy()
    table = by_key()
    left, right = (table[f"basis_pontis_{side}"].index for side in ("left", "right"))
    labels[labels == right] = left
    after = corrected(segmentation, labels, filled_extent(t1))
    measures = measure(after, after.labels, maps)
    rows = {(row.key, row.metric): row for row in measures.diffusion}
    both = (truth["basis_pontis_left"]["fa"] + truth["basis_pontis_right"]["fa"]) / 2
    assert rows["basis_pontis_left", "fa"].value == pytest.approx(both, abs=0.015)
    assert volume_by_key(measures.volumes)["basis_pontis_right"].volume_label_mm3 == 0
