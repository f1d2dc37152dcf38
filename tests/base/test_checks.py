"""Arguments that are numbers, refused before any work starts."""

import re

import numpy as np
import pytest

from visclust.base.checks import check_level, check_whole_number


@pytest.mark.parametrize("value", [2.5, 0, -1, True, "3", None, np.float64(3)])
def test_what_is_no_whole_number_or_too_small_is_refused_by_its_name(value):
    message = f"Expected size to be a whole number of at least 1, got {value!r}."
    with pytest.raises(ValueError, match=re.escape(message)):
        check_whole_number("size", value, least=1)


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_whole_numbers_of_python_and_numpy_pass(value):
    check_whole_number("size", value, least=1)


@pytest.mark.parametrize("level", [95, 0, 1, -0.1, "0.95", None, float("nan")])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(ValueError, match=re.escape(f"such as 0.95, got {level!r}.")):
        check_level(level)


def test_levels_between_0_and_1_pass():
    check_level(0.95)
    check_level(np.float32(0.5))
