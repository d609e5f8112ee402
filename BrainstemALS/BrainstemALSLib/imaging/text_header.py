"""What the text headers of NRRD and MetaImage files say about orientation.

ITK reads such a file without orientation as if its axes ran along left, posterior and superior:
a guess that swaps left and right of a file that was stored otherwise.
"""

from __future__ import annotations

from pathlib import Path

NRRD_READER, METAIMAGE_READER = "NrrdImageIO", "MetaImageIO"
_LONGEST_HEADER = 1 << 16
_META_ORIENTATION = ("transformmatrix", "orientation", "rotation")


def _fields(content: bytes, separator: str) -> dict[str, str]:
    lines = content.decode("latin-1").splitlines()
    pairs = (line.split(separator, 1) for line in lines if separator in line)
    return {name.strip().lower(): value.strip() for name, value in pairs}


def says_orientation(path: Path, reader: str) -> bool:
    """Whether the header says how the voxel axes lie in the patient.

    Parameters
    ----------
    path : Path
        NRRD (.nrrd, .nhdr) or MetaImage (.mha, .mhd) file.
    reader : str
        ``NRRD_READER`` or ``METAIMAGE_READER``, as ITK names them.
    """
    with path.open("rb") as handle:
        content = handle.read(_LONGEST_HEADER)
    if reader == NRRD_READER:
        # The header ends at the first empty line.
        header = content.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
        fields = _fields(header, ":")
        return bool(fields.get("space")) and bool(fields.get("space directions"))
    # The last field names where the voxels are; what follows it is not text.
    fields = _fields(content.split(b"ElementDataFile", 1)[0], "=")
    return any(fields.get(name) for name in _META_ORIENTATION)
