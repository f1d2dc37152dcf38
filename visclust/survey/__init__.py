"""Who rates which image; out to a survey and back in."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
