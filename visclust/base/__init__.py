"""Ground floor, shared by all: tables, files, records of runs, where arrays live."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
