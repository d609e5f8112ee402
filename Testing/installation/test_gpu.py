import os
import stat
import sys

import pytest

from BrainstemALSLib.installation.gpu import Gpu, TorchBuild, find_gpu, torch_build, why_unused

A100 = Gpu("NVIDIA A100", "580.65.06", 81920, 8.0)


@pytest.fixture
def nvidia_smi(tmp_path):
    """Write a program that answers as nvidia-smi does; return its path."""
    if os.name == "nt":
        pytest.skip("a script is no program on Windows")

    def write(body):
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


def test_of_two_gpus_the_larger_is_told(nvidia_smi, tmp_path):
    program = nvidia_smi(
        "print('Quadro P400, 535.183.01, 2048, 6.1')\nprint('NVIDIA A100, 535.183.01, 81920, 8.0')"
    )
    found = find_gpu(program, tmp_path)
    assert found == Gpu("NVIDIA A100", "535.183.01", 81920, 8.0)
    assert found.cuda == 12


def test_an_old_driver_that_does_not_know_the_question_is_asked_again(nvidia_smi, tmp_path):
    program = nvidia_smi(
        "if 'compute_cap' in sys.argv[1]: sys.exit('Field \"compute_cap\" is not a valid field')\n"
        "print('Tesla K80, 440.33.01, [N/A]')"
    )
    assert find_gpu(program, tmp_path) == Gpu("Tesla K80", "440.33.01", 0, 0.0)


@pytest.mark.parametrize("body", ["sys.exit(9)", "print('No devices were found')"])
def test_no_answer_is_no_gpu(nvidia_smi, tmp_path, body):
    assert find_gpu(nvidia_smi(body), tmp_path) is None
    assert find_gpu(str(tmp_path / "not there"), tmp_path) is None


@pytest.mark.skipif(sys.platform == "darwin", reason="no NVIDIA GPU on macOS")
def test_a_card_whose_driver_is_missing_is_seen_all_the_same(nvidia_smi, tmp_path):
    for slot, vendor, kind in (("0", "0x8086", "0x030000"), ("1", "0x10de", "0x040300")):
        (tmp_path / slot).mkdir()
        (tmp_path / slot / "vendor").write_text(vendor)
        (tmp_path / slot / "class").write_text(kind)
    silent = nvidia_smi("sys.exit(9)")
    assert find_gpu(silent, tmp_path) is None, "graphics of Intel, sound of NVIDIA"
    (tmp_path / "1" / "class").write_text("0x030200\n")
    found = find_gpu(silent, tmp_path)
    assert found is not None
    assert "driver does not answer" in why_unused(found, None)


@pytest.mark.parametrize(
    ("version", "text", "cuda"),
    [
        ("2.13.0+cpu", None, ""),
        ("2.9.1+cu126", None, "12.6"),
        ("2.14.1", "cuda: Optional[str] = '13.0'\nhip = None\n", "13.0"),
        ("2.14.1", "cuda: Optional[str] = None\n", ""),
        ("2.14.1", None, ""),
    ],
)
def test_the_build_of_torch_is_read_and_not_imported(dist_info, version, text, cuda):
    site = dist_info("torch", version)
    if text:
        (site / "torch").mkdir()
        (site / "torch" / "version.py").write_text(text)
    assert torch_build([str(site)]) == TorchBuild(version, cuda)


def test_no_torch_is_no_build(tmp_path):
    assert torch_build([str(tmp_path)]) is None


@pytest.mark.parametrize(
    ("gpu", "build", "says"),
    [
        (None, TorchBuild("2.13.0+cpu", ""), ""),
        (A100, None, ""),
        (A100, TorchBuild("2.13.0+cu130", "13.0"), ""),
        (A100, TorchBuild("2.13.0+cu126", "12.6"), ""),
        (A100, TorchBuild("2.13.0+cpu", ""), "CPU build"),
        (Gpu("T4", "535.1", 16000, 7.5), TorchBuild("2.14.1", "13.0"), "needs 580 or later"),
        (Gpu("T4", "535.1", 16000, 7.5), TorchBuild("2.9.1+cu128", "12.8"), ""),
        (Gpu("K80", "440.33", 12000), None, "too old for PyTorch"),
        (Gpu("P400", "580.1", 1024), None, "1024 MB"),
        (Gpu("P100", "580.1", 16000, 6.0), TorchBuild("2.14.1", "13.0"), "CUDA 12.6 can use it"),
    ],
)
def test_one_sentence_says_why_a_gpu_is_not_used(gpu, build, says):
    sentence = why_unused(gpu, build)
    assert says in sentence
    assert bool(sentence) is bool(says)
    assert sentence.count(".\n") == 0
