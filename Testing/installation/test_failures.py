import pytest

from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.installation.failures import explain

NO_NETWORK = (
    "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...: Failed "
    "to establish a new connection: [Errno 11001] getaddrinfo failed')': /simple/torch/\n"
    "ERROR: Could not find a version that satisfies the requirement torch (from versions: none)\n"
    "ERROR: No matching distribution found for torch\n"
)


@pytest.mark.parametrize(
    ("text", "says", "code"),
    [
        (NO_NETWORK, "index cannot be reached", 32),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
         "device", "disk is full", 20),
        ("OSError: [WinError 112] There is not enough space on the disk", "disk is full", 20),
        ("ERROR: ... [Errno 13] Permission denied: '/opt/Slicer/lib/x'", "cannot be written", 20),
        ("ERROR: ... [WinError 5] Access is denied: 'C:\\\\Slicer'", "cannot be written", 20),
        ("[WinError 32] The process cannot access the file because it is being used by another "
         "process", "in use", 20),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy "
         "Authentication Required'))", "proxy", 32),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] ...'))",
         "certificate", 32),
        ("ERROR: torch-2.5.0-cp39-cp39-win_amd64.whl is not a supported wheel on this platform.",
         "another system", 32),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS.", "damaged", 32),
        ("ERROR: Wheel 'torch' located at /x/torch.whl is invalid.", "damaged", 32),
        ("ERROR: ResolutionImpossible: for help visit", "does not fit", 32),
        ("/usr/bin/python: No module named pip", "no pip", 32),
        ("ERROR: No matching distribution found for torch>=2.4", "no package torch>=2.4", 32),
        ("something never seen", "pip ended with code 3", 32),
    ],
)  # fmt: skip
def test_what_pip_says_becomes_one_sentence(text, says, code):
    refusal = explain(3, text)
    assert says in refusal.problem
    assert refusal.code == ExitCode(code)
    assert refusal.details == text
    assert "ERROR" not in str(refusal)
    assert refusal.remedy.endswith(".")
    assert "/opt" not in str(refusal), "no folder of the computer in the sentence"
