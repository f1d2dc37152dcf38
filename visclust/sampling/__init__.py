"""Which images people look at, and what a sample says of the corpus."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
