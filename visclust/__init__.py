"""Explore, cluster, sample and annotate large image corpora."""
