"""Explore, cluster, sample and annotate large image corpora.

Everything that the notebooks call is here: ``import visclust as vc``; ``vc.clustering`` and the other folders
show one stage each. A name's module is imported when the name is first used, so that importing the package is
quick and needs no library.
"""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
__version__ = "0.1.0"
