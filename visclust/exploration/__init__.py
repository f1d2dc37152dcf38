"""What the clusters mean and who uses them: names, words, maps, frames."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
