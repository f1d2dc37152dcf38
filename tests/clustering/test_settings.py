import warnings

import numpy as np
import pytest

import visclust as vc


@pytest.mark.parametrize(
    "wrong",
    [
        {"step_size": 0},
        {"step_size": 2.5},
        {"sample_size": 2},
        {"convergence_window": 0},
        {"similarity_threshold": 1.5},
        {"similarity_threshold": float("nan")},
        {"stop_size": -1},
        {"goodness_of_fit": "elbow"},
        {"max_stall": -1},
        {"seed": -1},
    ],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        vc.cluster_iteratively(np.eye(3), **wrong)


def test_a_threshold_far_above_the_papers_gives_a_warning():
    with pytest.warns(UserWarning, match="similarity_threshold=0.4 is far above"):
        vc.cluster_iteratively(np.eye(20), similarity_threshold=0.4)


def test_rows_of_few_dimensions_may_have_a_high_threshold():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vc.cluster_iteratively(np.eye(5), similarity_threshold=0.4)
