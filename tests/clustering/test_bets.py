import numpy as np

from visclust.clustering.bets import STAKES, find_lower_bound, log_winnings, pool_winnings


def test_winnings_are_the_products_of_the_odds():
    values, threshold = np.linspace(-0.9, 0.8, 37), 0.1
    factors = 1 - STAKES[:, None] + STAKES[:, None] * (1 + values) / (1 + threshold)
    np.testing.assert_allclose(log_winnings(values, threshold), np.log(factors).sum(1), atol=1e-12)
    capital = factors.prod(1).mean()
    np.testing.assert_allclose(pool_winnings(log_winnings(values, threshold)), np.log(capital))


def test_winnings_of_parts_add_up():
    values = np.random.default_rng(0).uniform(-1, 1, 50)
    parts = log_winnings(values[:20], 0.2) + log_winnings(values[20:], 0.2)
    np.testing.assert_allclose(parts, log_winnings(values, 0.2))


def test_a_threshold_of_minus_one_is_passed_and_of_one_never():
    assert pool_winnings(log_winnings(np.array([-0.5]), -1)) > 1e5
    assert pool_winnings(log_winnings(np.full(500, 0.99), 1.0)) < 0


def test_alike_values_far_above_need_few_bets_and_the_bound_tells_it():
    risk = 1e-4
    assert pool_winnings(log_winnings(np.full(40, 0.5), 0.0)) > -np.log(risk)
    low = find_lower_bound(np.full(400, 0.5), risk=risk)
    assert 0.4 < low < 0.5
    assert find_lower_bound(np.full(3, 0.5), risk=risk) < 0


def test_at_the_threshold_the_game_is_won_at_any_of_many_looks_no_more_often_than_the_risk():
    # 2,000 games on means at the threshold, looked at after every one of 500 numbers.
    rng = np.random.default_rng(0)
    risk, games, threshold = 0.05, 2000, 0.1
    values = np.where(rng.random((games, 500)) < 0.1, -0.8, 0.2)  # mean .1, skewed
    factors = np.log1p(STAKES[:, None, None] * ((1 + values) / (1 + threshold) - 1))
    won = pool_winnings(np.moveaxis(factors.cumsum(axis=2), 0, -1)).max(axis=1) > -np.log(risk)
    assert 0.01 < won.mean() < risk  # it can fail, and a plain test at each look would: see below
    means = values.cumsum(1) / np.arange(1, 501)
    errors = (values.std() / np.sqrt(np.arange(1, 501)))[None]
    plain = ((means - threshold) / errors)[:, 19:].max(axis=1) > 1.645
    assert plain.mean() > 3 * risk
