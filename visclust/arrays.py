"""On which side an array lives, told without any GPU library."""

from typing import Any

import numpy as np

__all__ = ["is_on_gpu", "to_host"]


def is_on_gpu(x: Any) -> bool:
    """Say whether an array is a CuPy array.

    Parameters
    ----------
    x : object
        The array.

    Returns
    -------
    bool
        True for CuPy arrays; NumPy arrays and anything else are worked on by the CPU.

    Examples
    --------
    >>> is_on_gpu(np.zeros(1))
    False
    """
    return type(x).__module__.partition(".")[0] == "cupy"


def to_host(x: Any) -> np.ndarray:
    """Bring an array into the computer's own memory as NumPy.

    Parameters
    ----------
    x : array_like
        NumPy or CuPy array.

    Returns
    -------
    numpy.ndarray
        The same object where it is NumPy already.

    Examples
    --------
    >>> to_host([1, 2])
    array([1, 2])
    """
    return x.get() if is_on_gpu(x) else np.asarray(x)
