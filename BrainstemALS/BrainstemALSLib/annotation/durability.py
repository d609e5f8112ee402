"""Writing that survives a power cut, which moved up: the models need it too."""

from ..durability import PARTIAL, move_folder, sync_file, sync_folder, write_whole

__all__ = ["PARTIAL", "move_folder", "sync_file", "sync_folder", "write_whole"]
