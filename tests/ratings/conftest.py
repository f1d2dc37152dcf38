"""What several tests of ratings share."""

import numpy as np
import pytest

# Covariances (divisor n = 301) of the nine tests of Holzinger & Swineford (1939) that textbooks use.
HOLZINGER = """
1.35837
0.407371 1.381784
0.579899 0.451064 1.274865
0.504835 0.208923 0.20817 1.350665
0.440616 0.211091 0.112296 1.097753 1.659786
0.454808 0.247545 0.244109 0.895516 1.014524 1.196358
0.084765 -0.096751 0.088342 0.219743 0.143 0.144078 1.183139
0.263838 0.109659 0.212323 0.125593 0.180605 0.165431 0.535245 1.021983
0.458339 0.244009 0.373853 0.243363 0.295241 0.235997 0.373297 0.457317 1.015004
"""


@pytest.fixture(scope="session")
def holzinger():
    """Give the covariances of the nine tests, whose analysis is printed in the manuals of other programs."""
    lower = np.zeros((9, 9))
    for row, line in enumerate(HOLZINGER.split("\n")[1:-1]):
        lower[row, : row + 1] = np.array(line.split(), dtype=float)
    return lower + np.tril(lower, -1).T
