"""The checksum of a file is the one that sha256sum gives."""

from __future__ import annotations

from BrainstemALSLib.imaging.checksum import sha256_of


def test_sha256_of_the_words_of_the_standard(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # The first example of FIPS 180-2, appendix B.1.
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
