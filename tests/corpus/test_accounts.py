import pandas as pd
import pytest

import visclust as vc
from visclust.corpus.accounts import check_accounts, match_authors

ACCOUNTS = pd.DataFrame(
    {"account": ["ACLU", "MoveOn", "@CNN"], "kind": ["organization", "organization", "media"]}
)


@pytest.fixture
def posts():
    days = pd.to_datetime(["2018-06-14", "2018-06-16", "2018-06-15", "2018-06-15"], utc=True)
    return pd.DataFrame(
        {
            "post_id": ["1", "2", "3", "4"],
            "author": ["aclu", "ACLU", "cnn", "somebody"],
            "posted_at": days,
            "hashtags": [["KeepFamilies"], ["keepfamilies", "Vote"], [], ["Other"]],
            "followers": pd.array([100, None, 50, 7], dtype="Int64"),
        }
    )


def test_accounts_and_their_posts_are_counted_by_kind(posts):
    table = vc.describe_accounts(posts, ACCOUNTS).set_index("kind")
    assert table.index.tolist() == ["media", "organization", "all"]
    assert table["accounts"].tolist() == [1, 2, 3]
    assert table["active"].tolist() == [1, 1, 2]
    assert table["posts"].tolist() == [1, 2, 3]


def test_a_hashtag_in_two_spellings_is_one(posts):
    assert vc.describe_accounts(posts, ACCOUNTS)["hashtags"].tolist() == [0, 2, 2]


def test_followers_are_the_latest_known_number_of_each_account(posts):
    posts.loc[3, ["author", "followers"]] = [
        "ACLU",
        120,
    ]  # between the other two posts; the last says nothing
    assert vc.describe_accounts(posts, ACCOUNTS)["followers_median"].tolist() == [50, 120, 85]


def test_entries_are_counted_by_kind_and_missing_without_spans(posts):
    spans = pd.DataFrame({"kind": ["organization", "organization"]})
    assert vc.describe_accounts(posts, ACCOUNTS, spans=spans)["entered"].tolist() == [0, 2, 2]
    assert vc.describe_accounts(posts, ACCOUNTS)["entered"].isna().all()


def test_a_kind_without_any_post_has_no_medians(posts):
    table = vc.describe_accounts(posts.loc[posts["author"].eq("cnn")], ACCOUNTS).set_index("kind")
    assert table.loc["organization", ["active", "posts", "hashtags"]].tolist() == [0, 0, 0]
    assert table.loc["organization", ["posts_median", "followers_median"]].isna().all()


@pytest.mark.parametrize(
    ("accounts", "message"),
    [
        ({"account": ["ACLU"]}, "kind is missing"),
        ({"account": [], "kind": []}, "at least one account"),
        ({"account": ["ACLU", "@aclu"], "kind": ["a", "b"]}, "'@aclu' comes twice"),
        ({"account": ["ACLU"], "kind": [None]}, "a kind in every row"),
    ],
)
def test_accounts_that_cannot_be_followed_are_an_error(accounts, message):
    with pytest.raises(ValueError, match=message):
        check_accounts(pd.DataFrame(accounts))


def test_posts_without_a_needed_column_are_an_error(posts):
    with pytest.raises(ValueError, match="followers is missing"):
        vc.describe_accounts(posts.drop(columns="followers"), ACCOUNTS)


def test_authors_are_matched_in_any_case_and_others_are_missing():
    accounts = check_accounts(ACCOUNTS)
    assert accounts["key"].tolist() == ["aclu", "moveon", "cnn"]
    rows = match_authors(pd.Series(["aclu", "ada", "@Cnn", None]), accounts)
    assert (str(rows.dtype), rows.isna().tolist()) == ("Int64", [False, True, False, True])
    assert rows.dropna().tolist() == [0, 2]
