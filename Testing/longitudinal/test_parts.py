from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.cli.longitudinal import read_months
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.longitudinal.alignment import mean_movement
from BrainstemALSLib.longitudinal.change import annual_change
from BrainstemALSLib.longitudinal.error import MeasurementError, load_measurement_error
from BrainstemALSLib.longitudinal.template import evened
from BrainstemALSLib.longitudinal.warping import displacements, jacobian, warped_to_visit

ERROR = MeasurementError({"volume": {"medulla": 0.5}, "fa": {"medulla": 0.01}}, 10)


def movement(degrees, shift):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def test_halfway_there_twice_is_there():
    there = movement((10, -20, 5), (4, 7, -2))
    half = mean_movement([np.eye(4), there])
    np.testing.assert_allclose(half @ half, there, atol=1e-9)


def test_the_mean_of_inverses_is_the_inverse_of_the_mean():
    those = [movement((3, 8, -5), (1, 2, 3)), movement((-7, 2, 9), (0, 5, -3)), np.eye(4)]
    mean = mean_movement(those)
    back = mean_movement([np.linalg.inv(m) for m in those])
    np.testing.assert_allclose(back, np.linalg.inv(mean), atol=1e-9)


def test_two_visits_give_the_symmetric_change_and_its_detectable_size():
    found = annual_change("medulla", "volume", [0, 6], [102.0, 98.0], ERROR)
    assert found.change_per_year == pytest.approx(-8.0)
    # The difference of two visits has the square root of 2 of the error, over half a year.
    assert found.se == pytest.approx(0.5 * np.sqrt(2) / 0.5)
    assert found.high - found.change_per_year == pytest.approx(2.228 * found.se, rel=1e-3)
    assert found.beyond_error is True
    assert annual_change("medulla", "volume", [0, 6], [100.3, 99.7], ERROR).beyond_error is False


def test_scatter_about_the_line_widens_the_interval():
    straight = annual_change("medulla", "fa", [0, 6, 12], [0.50, 0.49, 0.48], ERROR)
    bent = annual_change("medulla", "fa", [0, 6, 12], [0.50, 0.55, 0.48], ERROR)
    assert straight.change_per_year == pytest.approx(-0.02) == bent.change_per_year
    assert bent.se > 1.2 * straight.se
    assert straight.unit == "1/year"


def test_without_a_measurement_error_nothing_is_judged():
    for error, structure in ((None, "medulla"), (ERROR, "pons")):
        found = annual_change(structure, "volume", [0, 12], [100.0, 90.0], error)
        assert found.change_per_year == pytest.approx(-1000 / 95)
        assert (found.se, found.low, found.high, found.beyond_error) == (None,) * 4


def test_the_error_that_comes_along_is_marked_simulated():
    error = load_measurement_error()
    assert error.simulated
    assert error.pairs >= 2
    assert error.about["command"].startswith("python -m training.evaluation.longitudinal_error")
    assert 0 < error.of("volume", "brainstem") < error.of("volume", "red_nucleus_left") < 50


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"sd": {"volume": {"pons": -1}}, "pairs": 3, "about": {}}', '{"sd": {}}'],
)
def test_a_damaged_error_is_refused(tmp_path, content):
    path = tmp_path / "error.json"
    path.write_text(content)
    with pytest.raises(BrainstemALSError) as refusal:
        load_measurement_error(path)
    assert refusal.value.code == ExitCode.MODEL_UNAVAILABLE


def test_an_error_that_was_written_is_read(tmp_path):
    path = tmp_path / "error.json"
    content = {"sd": {"fa": {"pons": 0.01}}, "pairs": 4, "about": {"seed": 1}}
    path.write_text(json.dumps(content))
    assert load_measurement_error(path).of("fa", "pons") == 0.01
    assert load_measurement_error(path).found_share is None
    content["found_of_loss"] = {"share": {"medulla": {"value": 0.7, "se": 0.1}}}
    path.write_text(json.dumps(content))
    assert load_measurement_error(path).found_share == (0.7, 0.1)


def ball(radius, shape=(28, 28, 28)):
    index = np.indices(shape) - np.reshape([(n - 1) / 2 for n in shape], (3, 1, 1, 1))
    distance = np.sqrt((index**2).sum(0))
    return 1 / (1 + np.exp(-(radius - distance) / 0.6))


def test_a_loss_is_found_and_never_made_larger():
    large, small = ball(8.2), ball(7.8)
    fields = displacements([evened(large), evened(small)])
    np.testing.assert_allclose(fields[0], -fields[1], atol=1e-5)
    label = ball(8.0)
    volumes = [float((label * jacobian(field)).sum()) for field in fields]
    change = 100 * (volumes[1] - volumes[0]) / np.mean(volumes)
    true = 100 * (small.sum() - large.sum()) / label.sum()
    # A body without any pattern inside is the hardest: only its surface tells.
    assert 0.35 * true > change > 1.05 * true


def test_labels_go_where_the_visit_has_them():
    label = ball(8.0)
    field = np.zeros((3, *label.shape))
    field[0] = 1.5
    there = warped_to_visit(label[..., None], field)[..., 0]
    # The mean shape's point x is at x + 1.5 in the visit.
    where = np.arange(28) @ there.sum((1, 2)) / there.sum()
    assert where == pytest.approx(13.5 + 1.5, abs=0.05)


def test_a_volume_factor_is_exact_for_a_linear_field():
    index = np.indices((6, 6, 6)).astype(float)
    field = np.stack([0.1 * index[0], -0.05 * index[1], 0.02 * index[2]])
    np.testing.assert_allclose(jacobian(field), 1.1 * 0.95 * 1.02)


def test_months_are_read_and_words_refused():
    assert read_months("0,6, 12.5") == [0, 6, 12.5]
    assert read_months(" 0 ; 3 ") == [0, 3]
    with pytest.raises(BrainstemALSError) as refusal:
        read_months("0,six")
    assert refusal.value.code == ExitCode.USAGE
