"""A run can start from an exported model, and says so."""

from __future__ import annotations

import json

import pytest
import torch

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from training.networks import COORDINATES, WindowNetwork, _unet, locator_network, structure_network
from training.origin import note_origin, origin, warm

LOCATOR = asset_path("Models") / "locator.ts"


def test_a_warm_network_is_the_exported_one():
    """The same numbers come out, as far as half precision kept them."""
    image = torch.randn(1, 1, 16, 16, 16)
    exported = torch.jit.load(str(LOCATOR)).float().eval()
    with torch.no_grad():
        torch.testing.assert_close(warm(locator_network, LOCATOR).eval()(image), exported(image))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_network_that_took_fewer_images_goes_on_as_it_was(tmp_path):
    """Whatever the images show that it did not know."""
    old = WindowNetwork(_unet(3 + COORDINATES, 5, (4, 8, 8)))
    path = tmp_path / "structures.ts"
    image = torch.randn(1, sum(PLANES.values()), 16, 16, 16)
    torch.jit.trace(old.eval(), image[:, :3]).save(str(path))
    channels = [{"name": name} for name in CHANNELS[:3]]
    path.with_suffix(".json").write_text(json.dumps({"channels": channels}))
    new = warm(lambda: WindowNetwork(_unet(sum(PLANES.values()) + COORDINATES, 5, (4, 8, 8))), path)
    with torch.no_grad():
        torch.testing.assert_close(new.eval()(image), old(image[:, :3]))
        assert new.body.input_block.conv1.conv.weight[:, 3:6].abs().max() == 0


def test_another_network_is_refused_in_one_sentence():
    with pytest.raises(BrainstemALSError, match="without --warm-start"):
        warm(structure_network, LOCATOR)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.ts"
    path.write_bytes(b"no model")
    with pytest.raises(BrainstemALSError, match="without --warm-start"):
        warm(locator_network, path)


def test_the_origin_is_written_once(tmp_path):
    """A run that goes on keeps what it began with."""
    note_origin(tmp_path, LOCATOR)
    note_origin(tmp_path, None)
    card = json.loads(LOCATOR.with_suffix(".json").read_text())
    assert origin(tmp_path)["warm_start"]["sha256"] == card["sha256"]
