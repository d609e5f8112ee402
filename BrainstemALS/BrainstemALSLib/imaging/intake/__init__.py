"""Reads what comes from outside: DICOM folders, BIDS subjects, diffusion files."""
