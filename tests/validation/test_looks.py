"""Looks as arrays: the weights of two-phase sampling."""

import numpy as np
import pytest

from visclust.validation.looks import (
    DIFFERENT,
    OPEN,
    SAME,
    choose_pairs,
    is_settled,
    measure_effects,
    start_course,
    take_look,
    weigh_pairs,
)


def test_over_many_draws_the_weighted_answers_are_those_of_a_look_at_all_pairs():
    # The two-phase estimate of how many of 8 pairs called the same are so, of which 3 are drawn: 2. Its
    # standard deviation over draws is 8 sqrt((2/8)(6/8)/3 (5/7)) = 1.69; of the mean of 800 it is 0.06.
    rng = np.random.default_rng(0)
    start = start_course(np.zeros(8), np.full(8, SAME))
    truth = np.array([SAME, SAME, *[DIFFERENT] * 6])
    totals = []
    for _ in range(800):
        choice = choose_pairs(
            start, np.ones(8), min_effect=0.0, n=3, decoys=0, open_to=np.ones(8, dtype=bool), rng=rng
        )
        asked = np.isin(np.arange(8), choice.at)
        course = take_look(start, asked, np.where(asked, truth, -2))
        weight = weigh_pairs(course)
        assert weight.sum() == pytest.approx(8)
        totals.append(weight[course.state == SAME].sum())
    assert np.mean(totals) == pytest.approx(2, abs=4 * 0.06)
    assert np.std(totals) == pytest.approx(1.69, rel=0.1)


def test_what_two_looks_confirmed_keeps_its_weight_when_others_of_its_class_are_looked_at_a_third_time():
    start = start_course(np.zeros(3), np.full(3, SAME))
    asked = np.ones(3, dtype=bool)
    second = take_look(start, asked, np.array([SAME, SAME, OPEN]))
    third = take_look(second, np.array([False, False, True]), np.array([-2, -2, DIFFERENT]))
    assert weigh_pairs(third).tolist() == [1.0, 1.0, 1.0]
    assert third.state.tolist() == [SAME, SAME, DIFFERENT]
    assert third.sames.tolist() == [2, 2, 1]


def test_chances_of_two_looks_one_after_the_other_multiply():
    # Of 8 open pairs 4 were looked at, of which 4 stayed open, and 2 of these were looked at again.
    start = start_course(np.zeros(8), np.full(8, OPEN))
    places = np.arange(8)
    second = take_look(start, places < 4, np.where(places < 4, OPEN, -2))
    third = take_look(second, places < 2, np.where(places < 2, DIFFERENT, -2))
    assert weigh_pairs(third).tolist() == [4.0, 4.0, 0, 0, 0, 0, 0, 0]


def test_a_same_of_one_look_after_another_answer_is_not_settled_until_the_next_confirms_it():
    course = start_course(np.zeros(3), np.array([OPEN, DIFFERENT, SAME]))
    everything = np.ones(3, dtype=bool)
    assert is_settled(course).tolist() == [False, True, True]
    course = take_look(course, everything, np.full(3, SAME))
    assert is_settled(course).tolist() == [False, False, True]
    assert is_settled(take_look(course, everything, np.full(3, SAME))).all()
    assert is_settled(take_look(course, everything, np.full(3, DIFFERENT))).all()


def test_a_split_look_between_two_that_say_the_same_does_not_matter():
    course = start_course(np.zeros(1), np.array([SAME]))
    asked = np.ones(1, dtype=bool)
    course = take_look(course, asked, np.array([OPEN]))
    assert not is_settled(course).any()
    assert is_settled(take_look(course, asked, np.array([SAME]))).all()


def test_a_pairs_effect_is_measured_against_the_same_pairs_that_are_surer():
    # In the first stratum half are the same; in the second, whose pairs weigh 100 each, one in ten.
    strata = np.repeat([0, 1], [2, 10])
    first = np.where(np.isin(np.arange(12), [0, 2]), SAME, DIFFERENT)
    design = np.where(strata == 0, 1.0, 100.0)
    course = start_course(strata, first)
    assert measure_effects(course, design).tolist() == [0.0] * 2 + [100.0] * 10
    second = take_look(course, np.arange(12) == 2, np.where(np.arange(12) == 2, SAME, -2))
    assert measure_effects(second, design)[2:] == pytest.approx(100 / 101)
    assert np.isinf(measure_effects(start_course(strata, np.full(12, DIFFERENT)), design)).all()


def test_where_same_is_not_rare_nothing_is_looked_at_again():
    # A wrong "same" weighs no more there than a wrong "different", and only the first would be asked again.
    course = start_course(np.zeros(10), np.array([SAME] * 6 + [OPEN] * 2 + [DIFFERENT] * 2))
    assert not measure_effects(course, np.full(10, 1000.0)).any()


def test_with_errors_of_a_tenth_the_second_look_takes_the_false_sames_out():
    # One of 222 pairs is the same. Two annotators call it so with a chance of .81, and 221 x .01 = 2.2
    # others: 3.0 in the mean before. After two looks more the true one is left with a chance of .9, and of
    # the others 222 x .01 x .01 / .82 = .03. The standard deviation of a count is below 1.8 before and .6
    # after, so that the means of 300 studies are known to .1 and .035.
    rng = np.random.default_rng(0)
    truth = np.arange(222) == 0
    everything = np.ones(222, dtype=bool)

    def judge(at):
        says = truth[at, None] ^ (rng.random((len(at), 2)) < 0.1)
        return np.select([says.all(axis=1), ~says.any(axis=1)], [SAME, DIFFERENT], OPEN)

    before, after = [], []
    for _ in range(300):
        course = start_course(np.zeros(222), judge(np.arange(222)))
        before.append((course.state == SAME).sum())
        for _ in range(2):
            chosen = choose_pairs(
                course, np.ones(222), min_effect=0.05, n=None, decoys=0.5, open_to=everything, rng=rng
            )
            said = np.full(222, -2)
            said[chosen.at] = judge(chosen.at)
            course = take_look(course, np.isin(np.arange(222), chosen.at[~chosen.decoy]), said)
        after.append(weigh_pairs(course)[course.state == SAME].sum())
    assert np.mean(before) == pytest.approx(3.0, abs=4 * 0.1)
    assert 0.85 < np.mean(after) < 1.15
