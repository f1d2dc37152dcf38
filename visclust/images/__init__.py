"""Files of images: indexing, decoding, thumbnails, near copies."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
