"""What people feel, and how groups of them differ."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
