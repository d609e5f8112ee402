"""The imaging network learns what is planted, and its page compares on the same people."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from training.evaluation.prediction_classification_metrics import areas
from training.evaluation.prediction_network import (
    answered,
    difference_table,
    glass_box_mark,
    method_table,
    network_page,
)
from training.evaluation.prediction_network_methods import Method, compared
from training.prediction.classification import norms_in_use
from training.prediction.network import images, learning
from training.prediction.network.images import CHANNELS, SIZE
from training.prediction.network.learning import (
    Schedule,
    asked,
    augmented,
    cross_fitted,
    log_odds,
    train,
)
from training.prediction.network.people import Plan, simulated
from training.prediction.network.voxels import fit_voxels

SHORT = Schedule(epochs=5, batch=8, rate=3e-3)


def drawn(n: int, seed: int, effect: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and in patients a spot of higher FA."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 == 0
    image = 0.3 + 0.1 * rng.standard_normal((n, len(CHANNELS), *SIZE), dtype=np.float32)
    image[y, 1, 12:20, 12:20, 16:24] += effect
    return image.astype(np.float16), y


@pytest.fixture(scope="module")
def planted():
    image, y = drawn(32, 1)
    site = np.array([f"scanner-{k // 2 % 4}" for k in range(32)])
    return asked(image, np.zeros((32, 3))), y, site


def test_what_is_planted_is_learned_and_calibrated(planted, monkeypatch):
    monkeypatch.setattr(learning, "FOLDS", 2)
    people, y, site = planted
    trained = cross_fitted(people, y, site, SHORT, seed=1)
    assert len(trained.networks) == 2
    assert areas(trained.inner, y).auc[0] > 0.9
    assert areas(trained.own, y).auc[0] > 0.9
    assert not np.allclose(trained.own, trained.inner)
    image, new = drawn(20, 2)
    eta = trained.log_odds(asked(image, np.zeros((20, 3))))
    assert areas(eta, new).auc[0] > 0.9
    assert eta[new].mean() > 0.0 > eta[~new].mean()


def test_a_straight_line_learns_it_too(planted):
    people, y, site = planted
    line, inner = fit_voxels(people.images.numpy(), y, site)
    image, new = drawn(20, 2)
    assert areas(inner, y).auc[0] > 0.9
    assert areas(line(image), new).auc[0] > 0.9


def test_the_same_seed_trains_the_same_network_and_leaves_torch_alone(planted):
    people, y, _ = planted
    state = torch.get_rng_state()
    short = Schedule(epochs=1, batch=8)
    one, again, other = (log_odds(train(people, y, short, s), people) for s in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_augmentation_mirrors_sides_and_moves_by_voxels(monkeypatch):
    for name in ("CONTRAST", "NOISE"):
        monkeypatch.setattr(learning, name, 0.0)
    whole = torch.rand(8, 3, *SIZE)
    seen = []
    for shift in (0, 2):
        monkeypatch.setattr(learning, "SHIFT", shift)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            seen.append(augmented(whole))
    mirrored = [torch.equal(a, b.flip(1)) for a, b in zip(seen[0], whole, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(seen[0], whole, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert any(mirrored)
    assert any(same)
    one = whole[0].numpy()
    inner = one[:, 4:-4, 4:-4, 4:-4]
    found = seen[1][0].numpy()
    places = [
        np.allclose(np.roll(image, (a, b, c), (1, 2, 3))[:, 4:-4, 4:-4, 4:-4], inner)
        for image in (found, found[:, ::-1])
        for a in range(-2, 3)
        for b in range(-2, 3)
        for c in range(-2, 3)
    ]
    assert sum(places) == 1


def test_methods_are_compared_on_the_same_people():
    rng = np.random.default_rng(1)
    y = rng.random(400) < 0.5
    good, bad = 2.0 * y + rng.standard_normal(400), rng.standard_normal(400)
    gap = good.copy()
    gap[:3] = np.nan
    methods, kept = answered([Method("a", 5, good), Method("b", 6, bad), Method("c", 7, gap)], y)
    assert len(kept) == 397
    found = compared(np.stack([m.eta for m in methods]), kept, 1, bootstraps=200)
    assert found.difference(2, 0) == (0.0, 0.0, 0.0)
    gain, low, high = found.difference(1, 0)
    assert low < gain < high < 0.0
    assert found.interval(0)[0] < found.auc[0] < found.interval(0)[1]
    assert areas(good[3:], kept).auc[0] == pytest.approx(found.auc[0])
    assert glass_box_mark(methods, found, 2)[1]
    assert not glass_box_mark(methods, found, 1)[1]
    table = method_table(methods, found, kept)
    assert [row[2] for row in table.rows] == [397] * 3
    assert len(difference_table(methods, found).rows) == 2


def test_the_page_counts_people_and_says_what_was_not_reached(tmp_path, monkeypatch):
    """Images of noise: the network must be near 0.5 and the page must say so."""
    plans = (Plan(8992, 180, 60, 6, False), Plan(8993, 60, 20, 4, True))
    people = [simulated(plan) for plan in plans]
    monkeypatch.setattr(learning, "FOLDS", 2)
    monkeypatch.setattr(images, "work_dir", lambda: tmp_path)
    for found in people:
        image, _ = drawn(len(found.ids), found.plan.seed, effect=0.0)
        place = images._place(found, None)
        place.mkdir(parents=True)
        for name, one in zip(found.ids, image, strict=True):
            np.save(place / f"{name}.npy", one, allow_pickle=False)
    monkeypatch.setattr("training.evaluation.prediction_network.cases_of", lambda held: [str(held)])
    fewer = partial(compared, bootstraps=50)
    monkeypatch.setattr("training.evaluation.prediction_network.compared", fewer)
    page = network_page(*people, Schedule(epochs=1, batch=24), (1,), norms_in_use(8991, 300))
    table = page.tables[0]
    rows = {row[0]: row for row in table.rows}
    network = rows["imaging network, 120 people, seed 1"]
    assert network[4] < 0.5 < network[5]
    assert network[1] == 120
    assert len({row[2] for row in table.rows}) == 1
    assert any("Glass box" in text for text, _ in page.marks)
    assert page.marks[0][1] is True
