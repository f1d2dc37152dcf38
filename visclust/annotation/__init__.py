"""What people said about images and pairs, and how far they agree."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
