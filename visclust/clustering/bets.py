"""Decide whether a mean lies above a threshold by betting: right at every look, however often one looks.

For numbers in [-1, 1] whose expectations, given all that was seen before, are at most a mean S, and a
threshold t, a bettor who holds that S is above t multiplies what he has by 1 - c + c (1 + x) / (1 + t) at
each number x, with a stake c between 0 and 1. If S is at most t, this can be expected not to grow; so by
Ville's inequality it ever exceeds 1 / risk with probability `risk` at most, at whatever look. The bettor
here splits his money between the stakes in `STAKES` once and for all, so that none need be chosen: a mean
of such games is such a game.

Source: Ville (1939), Étude critique de la notion de collectif; Waudby-Smith and Ramdas (2024), Estimating
means of bounded random variables by betting, JRSS B 86, 1-27 (the split over stakes is their "grid Kelly");
Howard, Ramdas, McAuliffe and Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence
sequences, Annals of Statistics 49.
"""

import numpy as np

# From all but everything, for numbers that hardly vary, to little, for means close to the threshold.
STAKES = np.array([0.95, 0.7, 0.5, 0.35, 0.22, 0.13, 0.07, 0.035, 0.015])


_TOGETHER = 16  # factors multiplied before a logarithm is taken; their product stays far from overflow


def log_winnings(values: np.ndarray, threshold: float) -> np.ndarray:
    """Give, for each stake, the logarithm of what betting on a mean above the threshold made of 1.

    The values lie between -1 and 1; their order does not matter, and winnings of further values are added.
    Against a mean above the threshold, bet on the negative values and the negative threshold.
    """
    if threshold <= -1:
        return np.full(len(STAKES), 1e6)  # no mean of such values is below it
    gains = np.ones((-(-len(values) // _TOGETHER), _TOGETHER))
    gains.flat[: len(values)] = (1 + np.asarray(values, dtype=np.float64)) / (1 + threshold)
    factors = 1 - STAKES[:, None, None] + STAKES[:, None, None] * gains
    return np.log(factors.prod(axis=2)).sum(axis=1)


def pool_winnings(winnings: np.ndarray) -> np.ndarray:
    """Give the logarithm of all capital from the winnings of each stake (…, stakes), of equal shares."""
    return np.logaddexp.reduce(winnings, axis=-1) - np.log(len(STAKES))


def find_lower_bound(values: np.ndarray, *, risk: float) -> float:
    """Find the largest threshold above which the values show their mean to be, at this risk of error.

    A bound at every look at once; -1 where nothing is shown. The upper bound of a mean is what this gives
    for the negative values, negated.
    """
    needed = -np.log(risk)
    low, high = -1.0, 1.0
    for _ in range(20):  # to 2e-6: the capital falls as the threshold rises
        middle = (low + high) / 2
        enough = pool_winnings(log_winnings(values, middle)) >= needed
        low, high = (middle, high) if enough else (low, middle)
    return low
