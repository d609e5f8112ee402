"""What the brainstem is made of: structures, tissue, evidence tiers, codes, colours."""

from .structures import CONTEXT, REGIONS, Structure, by_key, composites, load_structures

__all__ = ["CONTEXT", "REGIONS", "Structure", "by_key", "composites", "load_structures"]
