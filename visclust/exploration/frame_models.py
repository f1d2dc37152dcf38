"""One logistic regression of a frame's use on ideology: the fit, its average effect, and predicted shares.

Errors are clustered by user. Regressors come as a matrix of shape (n, k) over posts: the constant, ideology,
its square if `quadratic`, then controls.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import linprog
from scipy.special import expit, logit
from statsmodels.discrete.discrete_model import Logit


class FrameFit(NamedTuple):
    """Coefficients (k,), their covariance by user and the naive one (k, k), and users minus one."""

    parameters: np.ndarray
    covariance: np.ndarray
    naive_covariance: np.ndarray
    degrees_of_freedom: int


class Interval(NamedTuple):
    """An estimate with its standard error and confidence interval."""

    estimate: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray


def fit_frame(
    design: np.ndarray, uses: np.ndarray, users: np.ndarray, *, errors: str = "clustered"
) -> FrameFit | str:
    """Fit the logistic regression of a frame's use, or give the reason why there is no fit.

    `design` (n, k) has full rank, `uses` (n,) holds truth values, `users` (n,) codes from 0. The errors are
    the sandwich of statsmodels ("clustered"), or the jackknife that leaves out one user at a time, each time
    with one step of Newton's method from the full estimate ("jackknife"; MacKinnon, Nielsen and Webb's CV3L).
    """
    if uses.all() or not uses.any():
        return "every post uses it" if uses.all() else "no post uses it"
    if _is_separated(design, uses):
        return (
            "separation: ideology (with the controls) tells posts with the frame from those without exactly"
        )
    model = Logit(uses.astype(float), design)
    with warnings.catch_warnings():
        # What goes wrong is told by the row's reason.
        warnings.simplefilter("ignore")
        try:
            result = model.fit(disp=0, maxiter=100, cov_type="cluster", cov_kwds={"groups": users})
            naive = np.linalg.inv(-model.hessian(result.params))
            covariance = np.asarray(result.cov_params())
            if errors == "jackknife":
                covariance = jackknife_users(design, uses, users, np.asarray(result.params))
        except np.linalg.LinAlgError:
            return "the regression, or that without one of the users, has no solution: a matrix is singular"
    if not result.mle_retvals["converged"] or not np.isfinite(covariance).all():
        return "the regression did not converge"
    return FrameFit(np.asarray(result.params), covariance, naive, int(users.max()))


def average_effect(fit: FrameFit, design: np.ndarray, *, quadratic: bool, confidence: float) -> Interval:
    """Average, over the posts, the change of the probability of use per unit of ideology.

    The interval is by the delta method and the t distribution. With the square, both columns move together.
    """
    probability = expit(design @ fit.parameters)
    density = probability * (1 - probability)
    inner = np.zeros_like(design)
    inner[:, 1] = 1
    if quadratic:
        inner[:, 2] = 2 * design[:, 1]
    slope = inner @ fit.parameters
    gradient = ((density * (1 - 2 * probability) * slope)[:, None] * design + density[:, None] * inner).mean(
        0
    )
    error = np.sqrt(gradient @ fit.covariance @ gradient)
    return _bound(np.mean(density * slope), error, fit, confidence)


def predict_shares(
    fit: FrameFit, design: np.ndarray, values: np.ndarray, *, quadratic: bool, confidence: float
) -> Interval:
    """Predict the share of posts that use the frame if all had one ideology, for m values of it.

    Controls stay as they are and are averaged over. Gives arrays of shape (m,): standard errors by the delta
    method, intervals made on the logit scale, so that they stay between 0 and 1.
    """
    first = 3 if quadratic else 2
    # Rows with the same controls predict the same: each kind once, weighted by how often it comes.
    controls, counts = np.unique(design[:, first:], axis=0, return_counts=True)
    weights = counts / len(design)
    shares, errors = np.empty(len(values)), np.empty(len(values))
    for number, value in enumerate(values):
        set_to = [1, value, value**2][:first]
        rows = np.column_stack([np.tile(set_to, (len(controls), 1)), controls])
        probability = expit(rows @ fit.parameters)
        gradient = (weights * probability * (1 - probability)) @ rows
        shares[number] = weights @ probability
        errors[number] = np.sqrt(gradient @ fit.covariance @ gradient)
    on_logit = _bound(logit(shares), errors / (shares * (1 - shares)), fit, confidence)
    return Interval(shares, errors, expit(on_logit.low), expit(on_logit.high))


def _is_separated(design: np.ndarray, uses: np.ndarray) -> bool:
    """Say whether some combination of the columns tells uses from non-uses without an overlap.

    Then the likelihood has no maximum: the odds ratio grows without end, and no standard error is to be had
    (Albert and Anderson 1984). Complete and quasi-complete separation are found by the linear programme of
    Konis (2007).
    """
    signed = np.unique(np.where(uses[:, None], design, -design), axis=0)
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1))
    # The optimum is 0 where rows overlap; the solver's own tolerance on each row is 1e-7.
    return bool(-found.fun > 1e-6 * len(signed))


def jackknife_users(
    design: np.ndarray, uses: np.ndarray, users: np.ndarray, parameters: np.ndarray
) -> np.ndarray:
    """Give the covariance by leaving out each user, with one Newton step from the full estimate."""
    probability = expit(design @ parameters)
    scores = design * (uses - probability)[:, None]
    weighted = design * (probability * (1 - probability))[:, None]
    size = design.shape[1]
    by_user = np.column_stack([np.bincount(users, column) for column in scores.T])
    curvature = np.empty((len(by_user), size, size))
    for i in range(size):
        for j in range(size):
            curvature[:, i, j] = np.bincount(users, weighted[:, i] * design[:, j])
    steps = np.linalg.solve(curvature.sum(axis=0) - curvature, by_user[:, :, None])[:, :, 0]
    return (len(steps) - 1) / len(steps) * steps.T @ steps


def _bound(estimate: np.ndarray, error: np.ndarray, fit: FrameFit, confidence: float) -> Interval:
    reach = stats.t.ppf((1 + confidence) / 2, fit.degrees_of_freedom) * error
    return Interval(estimate, error, estimate - reach, estimate + reach)
