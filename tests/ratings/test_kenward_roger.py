import numpy as np
import pytest
from scipy.sparse import csr_array

from visclust.ratings.kenward_roger import judge_means


def draw_design(*, people, images, groups, load, seed):
    """Give who rated what, at random: respondents, images and groups of the ratings."""
    rng = np.random.default_rng(seed)
    owner = np.concatenate([np.arange(groups), rng.integers(0, groups, people - groups)])
    person = np.repeat(np.arange(people), load)
    image = np.concatenate([rng.choice(images, load, replace=False) for _ in range(people)])
    return person, image, owner[person]


def judge_by_matrices(person, image, group, variances):
    """Do what Kenward and Roger (1997) write, with matrices of the size of the ratings."""
    marks = [np.eye(each.max() + 1)[each] for each in (person, image, image * (group.max() + 1) + group)]
    parts = [*(each @ each.T for each in marks), np.eye(len(person))]
    inverse = np.linalg.inv(sum(size * part for size, part in zip(variances, parts, strict=True)))
    x = np.eye(group.max() + 1)[group]
    plain = np.linalg.inv(x.T @ inverse @ x)
    moved = [inverse @ part for part in parts]
    first = [x.T @ each @ inverse @ x for each in moved]
    second = [[x.T @ one @ other @ inverse @ x for other in moved] for one in moved]
    expected = np.array([[np.trace(one @ other) for other in moved] for one in moved])
    for i, j in np.ndindex(4, 4):
        expected[i, j] -= 2 * np.trace(plain @ second[i][j])
        expected[i, j] += np.trace(plain @ first[i] @ plain @ first[j])
    noise = 2 * np.linalg.inv(expected)
    excess = sum(noise[i, j] * (second[i][j] - first[i] @ plain @ first[j]) for i, j in np.ndindex(4, 4))
    return plain, plain + 2 * plain @ excess @ plain, noise


@pytest.mark.parametrize(
    ("people", "images", "groups", "ratios"),
    [
        (40, 5, 2, (0.7, 0.5, 0.3)),  # taken out by way of the images
        (12, 15, 2, (0.7, 0.5, 0.3)),  # by way of the respondents
        (12, 15, 3, (0.7, 0.0, 0.3)),
        (40, 5, 2, (0.0, 0.5, 0.0)),
    ],
)
def test_the_short_way_gives_what_whole_matrices_give(people, images, groups, ratios):
    person, image, group = draw_design(people=people, images=images, groups=groups, load=4, seed=1)
    marks = csr_array(
        (np.ones(len(person)), (person, image * groups + group)), shape=(people, images * groups)
    )
    counts = marks.sum(axis=0).reshape(images, groups)
    found = judge_means(marks, counts, np.array(ratios), 1.3)
    variances = 1.3**2 * np.array([*np.square(ratios), 1.0])
    plain, larger, noise = judge_by_matrices(person, image, group, variances)
    assert found.plain == pytest.approx(plain, rel=1e-9)
    assert found.covariance == pytest.approx(larger, rel=1e-7)
    assert found.noise == pytest.approx(noise, rel=1e-6, abs=1e-9)


def test_a_contrast_of_complete_ratings_has_the_freedom_of_their_mean_squares():
    people, images, groups = 12, 6, 2
    person = np.repeat(np.arange(people), images)
    cell = np.tile(np.arange(images), people) * groups + person % groups
    marks = csr_array((np.ones(len(person)), (person, cell)), shape=(people, images * groups))
    counts = np.full((images, groups), people // groups)
    error, freedom = judge_means(marks, counts, np.array([0.8, 0.5, 0.4]), 2.0).judge(np.array([1.0, -1.0]))
    # Mean squares of respondents, of images by group, and of the rest, with residual variance 4.
    squares = 4 * np.array([1 + images * 0.64, 1 + people / groups * 0.16, -1])
    free = np.array([people - groups, images - 1, (people - groups) * (images - 1)])
    assert error**2 == pytest.approx(2 * squares.sum() / (people // groups * images))
    assert freedom == pytest.approx(squares.sum() ** 2 / (squares**2 / free).sum())
