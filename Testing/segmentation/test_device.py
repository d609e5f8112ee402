"""The device is chosen with a reason; a wish that can't be met is refused."""

from __future__ import annotations

import pytest
import torch

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.device import choose_device


def test_cpu_on_request():
    assert choose_device("cpu") == ("cpu", "the CPU was asked for")


def test_auto_always_answers_with_a_reason():
    device, reason = choose_device("auto")
    assert device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert reason


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_on_a_machine_without_one_is_refused_with_the_reason():
    with pytest.raises(BrainstemALSError) as caught:
        choose_device("cuda")
    assert caught.value.code is ExitCode.DEVICE_UNAVAILABLE
    assert "CUDA" in str(caught.value) or "GPU" in str(caught.value)


def test_unknown_device():
    with pytest.raises(BrainstemALSError) as caught:
        choose_device("tpu")
    assert caught.value.code is ExitCode.USAGE
