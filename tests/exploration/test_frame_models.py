import numpy as np
import pandas as pd
import pytest
from post_tables import simulate_frame_use
from scipy.special import expit

from visclust.exploration.frame_models import (
    FrameFit,
    _is_separated,
    average_effect,
    fit_frame,
    predict_shares,
)


def test_the_jackknife_is_that_of_leaving_out_each_user():
    posts, ideology = simulate_frame_use(40, seed=5)
    design = np.column_stack(
        [np.ones(len(posts)), posts["author"].map(ideology.set_index("author")["ideology"])]
    )
    uses, users = posts["frame a"].to_numpy(), pd.factorize(posts["author"])[0]
    full = fit_frame(design, uses, users).parameters
    left_out = [
        fit_frame(design[users != user], uses[users != user], users[users != user]) for user in range(40)
    ]
    steps = np.array([fit.parameters for fit in left_out]) - full
    found = fit_frame(design, uses, users, errors="jackknife")
    # One Newton step instead of all: here the standard errors differ by less than 5%.
    error = np.sqrt(np.diag(39 / 40 * steps.T @ steps))
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), error, rtol=0.05)
    clustered = np.sqrt(np.diag(fit_frame(design, uses, users).covariance))
    assert (np.sqrt(np.diag(found.covariance)) > clustered).all()


def make_fit(parameters):
    size = len(parameters)
    covariance = 0.01 * (np.eye(size) + 0.3)
    return FrameFit(np.array(parameters), covariance, covariance, 99)


@pytest.mark.parametrize("quadratic", [False, True])
def test_effects_and_curves_agree_with_numerical_differentiation(quadratic):
    rng = np.random.default_rng(0)
    z, control = rng.normal(size=(2, 40))
    design = np.column_stack([np.ones(40), z, *([z**2] if quadratic else []), control])
    fit = make_fit([-0.5, 0.8, *([0.3] if quadratic else []), 0.4])

    def average(parameters, shift):
        moved = z + shift
        columns = [np.ones(40), moved, *([moved**2] if quadratic else []), control]
        return expit(np.column_stack(columns) @ parameters).mean()

    def effect(parameters):
        return (average(parameters, 1e-5) - average(parameters, -1e-5)) / 2e-5

    steps = 1e-4 * np.eye(len(fit.parameters))
    gradient = np.array([(effect(fit.parameters + s) - effect(fit.parameters - s)) / 2e-4 for s in steps])
    found = average_effect(fit, design, quadratic=quadratic, confidence=0.95)
    # Central differences: errors of about the square of the step, and of 1e-16 divided by both steps.
    assert found.estimate == pytest.approx(effect(fit.parameters), rel=1e-6)
    assert found.standard_error == pytest.approx(np.sqrt(gradient @ fit.covariance @ gradient), rel=1e-4)
    curve = predict_shares(fit, design, np.array([1.5]), quadratic=quadratic, confidence=0.95)
    set_to = [1, 1.5, *([1.5**2] if quadratic else [])]
    rows = np.column_stack([np.tile(set_to, (40, 1)), control])
    assert curve.estimate[0] == pytest.approx(expit(rows @ fit.parameters).mean())  # float64 rounding
    assert 0 < curve.low[0] < curve.estimate[0] < curve.high[0] < 1


@pytest.mark.parametrize(
    ("score", "uses", "expected"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], True),
        ([1, 2, 2, 4], [0, 0, 1, 1], True),  # quasi-complete: they touch at 2
        ([1, 1, 2, 2], [0, 0, 0, 1], True),
        ([1, 2, 3, 4], [0, 1, 0, 1], False),
        ([1, 1, 2, 2], [0, 1, 0, 1], False),
    ],
)
def test_separation_is_seen(score, uses, expected):
    design = np.column_stack([np.ones(4), np.array(score, dtype=float)])
    assert _is_separated(design, np.array(uses, dtype=bool)) is expected


def test_a_singular_regression_gives_a_reason():
    design = np.column_stack([np.ones(6), [1.0, 2, 1, 2, 1, 2], [1.0, 2, 1, 2, 1, 2]])
    fit = fit_frame(design, np.array([0, 1, 1, 0, 0, 1], dtype=bool), np.arange(6))
    assert isinstance(fit, str)
