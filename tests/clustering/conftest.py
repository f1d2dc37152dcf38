"""What several tests of clustering share."""

import pytest


@pytest.fixture
def make_runs(make_clusters):
    """Make runs from lists of labels; called 0, 1, …"""
    return lambda *runs: {str(i): make_clusters(labels) for i, labels in enumerate(runs)}
