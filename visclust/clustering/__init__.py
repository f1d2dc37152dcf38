"""The method: iterative clustering, its settings, and whether another run finds the same."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
