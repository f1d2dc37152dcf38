"""Alpha, kappa and per cent from tables of counts, against published values."""

import krippendorff
import numpy as np
import pytest

from visclust.annotation.agreement_measures import (
    compute_alpha,
    compute_kappa,
    compute_percent_agreement,
    count_coincidences,
)


def test_alpha_of_krippendorffs_four_observers_with_missing_data():
    # Krippendorff (2011), section C: five values, four observers, nominal alpha .743 (3 decimals printed).
    observers = ["123321412   ", "1233224125 3", " 3332342251 ", "12332441251 "]
    data = np.array([[np.nan if value == " " else int(value) for value in row] for row in observers])
    counts = np.stack([(data == value).sum(axis=0) for value in range(1, 6)], axis=1)
    alpha = compute_alpha(count_coincidences(counts).sum(axis=0))
    assert alpha == pytest.approx(0.743, abs=5e-4)
    packaged = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    assert alpha == pytest.approx(packaged, abs=1e-12)  # rounding of floats


def test_an_answer_that_stands_alone_meets_no_other():
    counts = np.array([[1, 1], [2, 0], [1, 0]])
    assert count_coincidences(counts).tolist() == [[[0, 1], [1, 0]], [[2, 0], [0, 0]], [[0, 0], [0, 0]]]


def test_each_table_of_a_stack_is_measured_by_itself():
    tables = np.array([[[20, 5], [10, 15]], [[2, 0], [0, 4]]])
    assert compute_kappa(tables) == pytest.approx([0.4, 1.0], abs=1e-12)  # rounding of floats
    assert compute_alpha(tables[1:].astype(float)).tolist() == [1.0]
    assert compute_percent_agreement(np.array([[3.0, 4.0], [1.0, 2.0]])).tolist() == [75.0, 50.0]


def test_one_value_throughout_leaves_alpha_and_kappa_undefined():
    assert np.isnan(compute_alpha(np.array([[6.0, 0.0], [0.0, 0.0]])))
    assert np.isnan(compute_kappa(np.array([[6, 0], [0, 0]])))
