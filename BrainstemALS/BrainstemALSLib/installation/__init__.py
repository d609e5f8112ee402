"""What a Slicer needs before it can segment, and how it gets there: asked first, checked first.

Nothing here imports torch, Qt or Slicer; a dialog drives it.
"""
