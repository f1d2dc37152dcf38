"""Corpora past one machine: shards, steps that turn one shard into one part, and sums over all of them."""

from visclust._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
