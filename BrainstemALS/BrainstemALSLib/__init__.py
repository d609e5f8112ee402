"""BrainstemALS: brainstem segmentation and measurement for ALS research. Not a medical device."""

__version__ = "0.1.0"
