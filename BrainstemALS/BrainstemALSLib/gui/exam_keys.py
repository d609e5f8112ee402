"""Keys of the T1s in the scene, worked out beside the window: it reads every voxel."""

from __future__ import annotations

from ..annotation.codes import exam_key
from ..errors import BrainstemALSError
from ..imaging.volume import Volume
from ..scene.volumes import volume_from_node
from .background import Background


class ExamKeys:
    """Remembers the key of a T1 as long as its voxels and its place stay the same."""

    def __init__(self) -> None:
        self._keys: dict[tuple[object, ...], str] = {}
        self._background = Background()

    def of(self, node: object) -> str:
        """Return the key of a T1; worked out now if ``prepare`` has not done so.

        Raises
        ------
        BrainstemALSError
            The node has no voxels, or lies where no volume may.
        """
        volume = volume_from_node(node, "T1")
        stamp = _stamp(node, volume)
        if stamp not in self._keys:
            self._keys = {stamp: exam_key(volume)}
        return self._keys[stamp]

    def prepare(self, node: object) -> None:
        """Work the key out beside the window."""
        try:
            volume = volume_from_node(node, "T1")
        except BrainstemALSError:
            return  # who needs the key will be told
        stamp = _stamp(node, volume)
        if stamp in self._keys or self._background.running:
            return

        def known(key: str) -> None:
            self._keys = {stamp: key}

        self._background.start(lambda: exam_key(volume), known, lambda _problem: None)

    def close(self) -> None:
        """Wait for what is being worked out."""
        self._background.close()


def _stamp(node: object, volume: Volume) -> tuple[object, ...]:
    return node.GetID(), node.GetImageData().GetMTime(), volume.affine.tobytes()
