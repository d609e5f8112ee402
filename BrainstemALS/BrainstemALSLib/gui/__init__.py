"""The panel inside 3D Slicer. Written against PythonQt: Qt properties are attributes."""
