"""From a series to its maps, and what is refused or said on the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.diffusion import denoise
from BrainstemALSLib.imaging.diffusion.gradients import subset
from BrainstemALSLib.imaging.diffusion.mask import brain_mask
from BrainstemALSLib.imaging.diffusion.process import DiffusionOptions, process_dwi
from BrainstemALSLib.imaging.geometry import crop
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion import with_gradients

QUICK = DiffusionOptions(motion=False)
DENOISE = DiffusionOptions(denoise=True)


@pytest.fixture(scope="module")
def quick_maps(simulated):
    return process_dwi(simulated.dwi, QUICK)


@pytest.fixture(scope="module")
def thin(simulated):
    """A few slices of the still series, for what does not need all."""
    volume = simulated.dwi.volume
    return replace(simulated.dwi, volume=crop(volume, (0, 0, 16), (*volume.array.shape[:2], 22)))


def truth_of(simulated) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """FA, MD and V1 of the noise-free tensors."""
    values, vectors = np.linalg.eigh(simulated.tensors.array.astype(float))
    mean = values.mean(-1)
    spread = ((values - mean[..., None]) ** 2).sum(-1)
    fa = np.sqrt(1.5 * spread / np.maximum((values**2).sum(-1), 1e-9))
    return fa, mean, vectors[..., 2]


def white(simulated) -> np.ndarray:
    """White matter with a clear direction, away from fluid and from the edge of the brain."""
    fa, md, _ = truth_of(simulated)
    return (fa > 0.35) & (md < 0.95) & (simulated.dwi.volume.array[..., 0] > 350)


def codes(maps) -> set[str]:
    return {finding.code for finding in maps.findings}


def check_against_truth(maps, simulated, fa_error, md_percent, angle):
    fa, md, v1 = truth_of(simulated)
    where = white(simulated)
    assert where.sum() > 500
    assert abs(float(maps.fa.array[where].mean() - fa[where].mean())) < fa_error
    assert abs(100 * float(maps.md.array[where].mean() / md[where].mean() - 1)) < md_percent
    along = np.abs((maps.v1.array * v1).sum(-1))[where]
    assert np.degrees(np.median(np.arccos(np.clip(along, 0, 1)))) < angle


def test_maps_of_a_still_series(simulated):
    stages = []
    maps = process_dwi(simulated.dwi, QUICK, lambda *given: stages.append(given))
    check_against_truth(maps, simulated, 0.02, 2.0, 6.0)
    assert codes(maps) <= {"few_directions"}
    fractions = [fraction for _, fraction, _ in stages]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    mean = (maps.ad.array + 2 * maps.rd.array) / 3
    np.testing.assert_allclose(mean, maps.md.array, atol=1e-5)
    assert maps.facts["directions"] == 18
    assert maps.facts["shells"] == {"0": 2, "1000": 18}
    assert 12 < maps.facts["snr_b0"] < 40
    assert maps.fa.array.dtype == maps.v1.array.dtype == np.float32
    np.testing.assert_array_equal(maps.fa.affine, simulated.dwi.volume.affine)


def test_maps_of_a_head_that_moved(simulated, moved):
    corrected = process_dwi(moved.dwi, DENOISE)
    check_against_truth(corrected, simulated, 0.02, 3.0, 6.0)
    assert {"lost_slices", "not_denoised"} <= codes(corrected)
    assert corrected.facts["corrected_here"] == ["motion"]
    assert corrected.facts["motion"]["largest_mm"] == pytest.approx(2.0, abs=0.5)
    fa, _, _ = truth_of(simulated)
    where = white(simulated)
    left = process_dwi(moved.dwi, QUICK)

    def apart(maps):
        return float(np.abs(maps.fa.array - fa)[where].mean())

    assert apart(corrected) < 0.85 * apart(left)


def test_a_wrong_table_gives_the_maps_of_the_right_one(simulated, quick_maps):
    right = quick_maps
    exchanged = with_gradients(simulated.dwi, np.eye(3)[[1, 0, 2]])
    found = process_dwi(exchanged, QUICK)
    # An oblique grid: the exchange in RAS is not quite one of the image's axes.
    assert "gradients_corrected" in codes(found)
    np.testing.assert_allclose(found.fa.array, right.fa.array, atol=1e-3)
    along = np.abs((found.v1.array * right.v1.array).sum(-1))[white(simulated)]
    assert np.degrees(np.median(np.arccos(np.clip(along, 0, 1)))) < 15.0


def test_what_was_corrected_before_is_left_alone(simulated):
    before = frozenset({"denoising", "motion", "distortion"})
    maps = process_dwi(replace(simulated.dwi, corrected=before), DENOISE)
    assert maps.facts["corrected_here"] == []
    assert maps.facts["corrected_before"] == ["denoising", "distortion", "motion"]
    assert "motion" not in maps.facts
    check_against_truth(maps, simulated, 0.02, 2.0, 6.0)


def test_interpolated_before_is_not_denoised(thin):
    maps = process_dwi(replace(thin, corrected=frozenset({"motion"})), DENOISE)
    assert "not_denoised" in codes(maps)
    (finding,) = [f for f in maps.findings if f.code == "not_denoised"]
    assert "interpolated" in finding.message


def test_findings_of_the_reader_come_first(thin):
    from BrainstemALSLib.imaging.finding import Finding

    said = Finding("read", "info", "Read.", "Nothing to do.")
    maps = process_dwi(replace(thin, findings=(said,)), QUICK)
    assert maps.findings[0] is said


def test_a_slab_of_a_few_slices(simulated):
    slab = crop(simulated.dwi.volume, (0, 0, 8), (*simulated.dwi.volume.array.shape[:2], 14))
    maps = process_dwi(replace(simulated.dwi, volume=slab))
    assert "motion_not_corrected" in codes(maps)
    where = white(simulated)[:, :, 8:14]
    fa, _, _ = truth_of(simulated)
    error = maps.fa.array[where].mean() - fa[:, :, 8:14][where].mean()
    assert abs(error) < 0.04


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: subset(d, d.unweighted), "unweighted (b=0)"),
        (lambda d: subset(d, np.arange(20) < 6), "needs 6 directions"),
        (lambda d: subset(d, ~d.unweighted), "none of its 18 volumes"),
        (lambda d: replace(d, bvals=d.bvals[:-1]), "20 volumes, but 19 b-values"),
        (lambda d: _with(d, d.volume.array * 0), "empty"),
        (lambda d: _with(d, np.where(d.volume.array > 900, np.nan, d.volume.array)), "not numbers"),
        (lambda d: _with(d, np.full_like(d.volume.array, 7.0)), "no brain"),
    ],
)
def test_what_is_refused(dwi, change, words):
    with pytest.raises(BrainstemALSError) as caught:
        process_dwi(change(dwi), QUICK)
    assert words in caught.value.problem
    assert caught.value.code is ExitCode.UNSUITABLE_DIFFUSION
    assert "/" not in caught.value.subject


def _with(dwi, array):
    return replace(dwi, volume=Volume(array.astype(np.float32), dwi.volume.affine))


def test_whole_numbers_are_taken_as_they_are(thin):
    whole = np.rint(thin.volume.array)
    maps = [
        process_dwi(replace(thin, volume=Volume(whole.astype(kind), thin.volume.affine)), QUICK)
        for kind in (np.int16, np.float64)
    ]
    np.testing.assert_array_equal(maps[0].fa.array, maps[1].fa.array)
    assert 0.3 < maps[0].fa.array.max() <= 1.0


def test_two_unweighted_volumes_are_not_taken_for_outliers_of_each_other(quick_maps):
    assert quick_maps.facts["fit"] == "WLS"


def test_the_mask_keeps_the_brainstem(simulated, small_head):
    from BrainstemALSLib.imaging.geometry import resample

    dwi = simulated.dwi
    b0 = Volume(dwi.volume.array[..., dwi.unweighted].mean(3), dwi.volume.affine)
    stem = resample(small_head.labels, b0.array.shape, b0.affine, "nearest").array > 0
    mask = brain_mask(b0)
    assert mask[stem].mean() > 0.99
    assert mask.mean() < 0.6
    for low, high in ((0, 8), (6, 12), (20, 25)):
        slab = brain_mask(crop(b0, (0, 0, low), (*b0.array.shape[:2], high)))
        inside = stem[:, :, low:high]
        assert slab[inside].mean() > 0.98
    assert not brain_mask(Volume(np.zeros((5, 5, 5), np.float32), np.eye(4))).any()


def test_denoising_takes_off_noise_and_its_floor(simulated, small_head, protocol):
    from BrainstemALSLib.phantom.diffusion import simulate_dwi

    clean = simulate_dwi(small_head, protocol, None).dwi.volume.array
    part = (slice(18, 38), slice(20, 44), slice(10, 24))
    volume = simulated.dwi.volume
    noisy = Volume(volume.array[part], volume.affine)
    mask = np.ones(noisy.array.shape[:3], bool)
    mask[:, :, 0] = False
    found, sigma = denoise.denoise(noisy, mask)
    assert sigma == pytest.approx(500 / 25, rel=0.15)
    np.testing.assert_array_equal(found.array[:, :, 0], noisy.array[:, :, 0])
    inner = (slice(3, -3),) * 3

    def apart(array):
        return float(np.sqrt(((array - clean[part])[inner] ** 2).mean()))

    assert apart(found.array) < 0.8 * apart(noisy.array)
    # Fluid at b=1000 has nearly no signal, where the floor is highest.
    dark = (clean[part][inner] > 40) & (clean[part][inner] < 60)
    assert dark.sum() > 50
    left = [float((a[inner] - clean[part][inner])[dark].mean()) for a in (found.array, noisy.array)]
    assert abs(left[0]) < 0.6 * left[1]


def test_reasons_not_to_denoise():
    assert denoise.why_not_denoise((96, 96, 60, 33), 150_000) is None
    assert "few" in denoise.why_not_denoise((96, 96, 60, 7), 150_000)
    assert "thin" in denoise.why_not_denoise((96, 96, 3, 33), 15_000)
    assert "long" in denoise.why_not_denoise((140, 140, 96, 270), 800_000)
    assert "moved" in denoise.why_not_denoise((96, 96, 60, 33), 150_000, 2.5)


def test_ringing_is_reduced():
    rng = np.random.default_rng(0)
    fine = np.full((96, 96), 50.0)
    fine[24:72, 30:66] = 150.0
    spectrum = np.fft.fftshift(np.fft.fft2(fine))[24:72, 24:72]
    ringing = np.fft.ifft2(np.fft.ifftshift(spectrum)).real / 4
    series = np.repeat(ringing[:, :, None, None], 3, 2) + rng.normal(0, 0.01, (48, 48, 3, 2))
    found = denoise.remove_ringing(Volume(series.astype(np.float32), np.eye(4)))
    outside = np.ones((48, 48), bool)
    outside[10:38, 13:35] = False
    assert found.array[outside].std() < 0.7 * series[outside].std()
