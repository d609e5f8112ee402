"""Loading and saving, through the real storage nodes of MRML."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer import vtkMRMLScene

# File type: class of node, class of storage node, whether the display gets defaults.
_READERS = {
    "VolumeFile": ("vtkMRMLScalarVolumeNode", "vtkMRMLVolumeArchetypeStorageNode"),
    "SegmentationFile": ("vtkMRMLSegmentationNode", "vtkMRMLSegmentationStorageNode"),
    "TableFile": ("vtkMRMLTableNode", "vtkMRMLTableStorageNode"),
}


class IOManager:
    """What ``slicer.util.loadVolume``, ``loadSegmentation``, ``loadTable``, ``loadScene``,
    ``saveNode`` and ``saveScene`` call."""

    def __init__(self, scene: vtkMRMLScene):
        self._scene = scene

    def fileType(self, path: str) -> str:
        """Return the type of a file by its name."""
        name = Path(path).name.lower()
        if name.endswith((".mrml", ".mrb")):
            return "SceneFile"
        if name.endswith((".seg.nrrd", ".seg.nii.gz")):
            return "SegmentationFile"
        return "TableFile" if name.endswith((".tsv", ".csv")) else "VolumeFile"

    def fileWriterFileType(self, node: object) -> str:
        """Return the type of file that a node is saved as."""
        return "NodeFile"

    def loadNodes(self, filetype: str, properties: dict, nodes: object, messages: object) -> bool:
        """Load a file into the scene; say whether it could be read."""
        path = str(properties["fileName"])
        if filetype == "SceneFile":
            return self.load_scene(path)
        kind, storage_kind = _READERS[filetype]
        if filetype == "VolumeFile" and _is_series(path):
            kind, storage_kind = "vtkMRMLDiffusionWeightedVolumeNode", "vtkMRMLNRRDStorageNode"
        if properties.get("labelmap"):
            kind = "vtkMRMLLabelMapVolumeNode"
        node = slicer.mrmlScene.AddNewNodeByClass(kind)
        node.SetName(properties.get("name") or Path(path).name.split(".")[0])
        storage = slicer.mrmlScene.AddNewNodeByClass(storage_kind)
        storage.SetFileName(path)
        if not storage.ReadData(node):
            messages.AddMessages(storage.GetUserMessages())
            self._scene.RemoveNode(storage)
            self._scene.RemoveNode(node)
            return False
        node.SetAndObserveStorageNodeID(storage.GetID())
        if hasattr(node, "CreateDefaultDisplayNodes"):
            node.CreateDefaultDisplayNodes()
        nodes.AddItem(node)
        return True

    def saveNodes(self, filetype: str, properties: dict, messages: object) -> bool:
        """Save a node or the scene; say whether it could be written."""
        path = str(properties["fileName"])
        if filetype == "SceneFile":
            return self.save_scene(path)
        node = self._scene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        if "useCompression" in properties:
            storage.SetUseCompression(int(properties["useCompression"]))
        if storage.WriteData(node):
            return True
        messages.AddMessages(storage.GetUserMessages())
        return False

    def save_scene(self, path: str) -> bool:
        """Write the scene as ``.mrb`` with its data, or as ``.mrml`` with the data beside it."""
        if path.lower().endswith(".mrb"):
            return bool(self._scene.WriteToMRB(path))
        folder = Path(path).parent
        self._scene.SetRootDirectory(str(folder))
        self._scene.SetURL(path)
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if node.IsA("vtkMRMLStorableNode") and node.GetSaveWithScene():
                node.AddDefaultStorageNode()
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if not node.IsA("vtkMRMLStorableNode") or node.GetStorageNode() is None:
                continue
            storage = node.GetStorageNode()
            if not node.GetSaveWithScene() or storage.GetFileName():
                continue
            extension = storage.GetDefaultWriteFileExtension()
            storage.SetFileName(str(folder / f"{node.GetID()}.{extension}"))
            if not storage.WriteData(node):
                return False
        return bool(self._scene.Commit(path))

    def load_scene(self, path: str) -> bool:
        """Read a scene into this one, which is closed first."""
        self._scene.Clear(False)
        if path.lower().endswith(".mrb"):
            return bool(self._scene.ReadFromMRB(path, True))
        self._scene.SetURL(path)
        return bool(self._scene.Connect())


def _is_series(path: str) -> bool:
    """Whether a file is an NRRD with diffusion gradients, which becomes a node of another kind."""
    if not path.lower().endswith((".nrrd", ".nhdr")) or not Path(path).is_file():
        return False
    header = Path(path).read_bytes()[: 1 << 16].partition(b"\n\n")[0]
    return b"modality:=DWMRI" in header
