"""The rules of Appendix A, one by one. Day 1 is 14 June 2018."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import visclust as vc
from visclust.corpus.hashtags import _has_capital, _list_uses

TAG = "FamiliesBelongTogether"
ACCOUNTS = pd.DataFrame(
    {
        "account": ["ACLU", "MoveOn", "KamalaHarris", "CNN"],
        "kind": ["organization", "organization", "politician", "media"],
    }
)


def post(day, author, *tags, times=1, hour=12):
    when = pd.Timestamp("2018-06-13", tz="UTC") + pd.Timedelta(days=day, hours=hour)
    return [(author, when, list(tags))] * times


def make(*groups):
    rows = [row for group in groups for row in group]
    posts = pd.DataFrame(rows, columns=["author", "posted_at", "hashtags"])
    return posts.assign(post_id=[str(number) for number in range(len(posts))])


def track(*groups, **options):
    # One more post far behind, so that no span ends only because the posts do.
    end = [] if options.pop("posts_end", False) else post(60, "somebody") + post(60, "CNN")
    return vc.track_hashtags(make(*groups, end), ACCOUNTS, **options)


def list_days(spans, name):
    return [int((day - pd.Timestamp("2018-06-13", tz="UTC")) / pd.Timedelta(days=1)) for day in spans[name]]


def entered(*groups, **options):
    return track(*groups, **options).spans["hashtag"].tolist()


def test_families_belong_together_used_three_times_by_one_account_enters():
    spans = track(post(1, "ACLU", TAG, times=3)).spans
    assert spans["hashtag"].tolist() == ["FamiliesBelongTogether"]
    assert spans[["entered_by", "kind", "uses", "renewals", "reason"]].to_numpy().tolist() == [
        ["ACLU", "organization", 3, 0, "not renewed"]
    ]


def test_it_is_tracked_on_the_two_days_after_the_day_of_its_entry():
    spans = track(post(1, "ACLU", TAG, times=3)).spans
    assert (list_days(spans, "met"), list_days(spans, "entered"), list_days(spans, "left")) == ([1], [2], [4])


def test_two_uses_are_not_more_than_two():
    assert entered(post(1, "ACLU", TAG, times=2)) == []


def test_uses_of_two_accounts_are_not_added_up():
    assert entered(post(1, "ACLU", TAG, times=2), post(1, "MoveOn", TAG, times=2)) == []


def test_uses_of_two_days_are_not_added_up_for_an_entry():
    assert entered(post(1, "ACLU", TAG, times=2), post(2, "ACLU", TAG, times=2)) == []


def test_a_post_that_repeats_a_hashtag_uses_it_once():
    assert entered(post(1, "ACLU", TAG, TAG, "familiesbelongtogether", times=1)) == []


@pytest.mark.parametrize("author", ["ACLU", "KamalaHarris", "CNN"])
def test_an_account_of_any_kind_can_bring_a_hashtag_in(author):
    assert entered(post(1, author, TAG, times=3)) == [TAG]


def test_people_who_are_not_tracked_bring_nothing_in():
    assert entered(post(1, "somebody", TAG, times=50)) == []


def test_account_names_match_in_any_case_and_with_the_at_sign():
    assert entered(post(1, "aclu", TAG), post(1, "@ACLU", TAG), post(1, "Aclu", TAG)) == [TAG]


@pytest.mark.parametrize(
    ("tag", "enters"),
    [
        ("FamiliesBelongTogether", True),
        ("familiesbelongtogether", False),
        ("Familiesbelongtogether", False),  # its only capital is the first character
        ("KeepFamilies", True),  # twelve characters
        ("KeepFamilie", False),  # eleven
        ("#KeepFamilie", False),  # the '#' is none of them
        ("#KeepFamilies", True),
        ("familiesBelong", True),
        ("WHERETHECHILDREN", True),
        ("СемьиДолжныБытьВместе", True),
        ("семьидолжныбытьвместе", False),
        ("Οικογένειες", False),
        ("لم_شمل_العائلات_الآن", False),  # Arabic has no capitals
    ],
)
def test_a_hashtag_needs_twelve_characters_and_a_capital_after_the_first(tag, enters):
    assert bool(entered(post(1, "ACLU", tag, times=3))) is enters


def test_a_hashtag_with_markup_is_kept_as_it_is():
    tag = "</script><script>stealFamilies()"
    assert entered(post(1, "ACLU", tag, times=3)) == [tag]


def test_scripts_without_capitals_enter_where_none_is_asked_for():
    assert entered(post(1, "ACLU", "لم_شمل_العائلات_الآن", times=3), need_capital=False) != []


def test_one_use_with_a_capital_is_enough_and_the_others_count():
    spans = track(post(1, "ACLU", TAG), post(1, "ACLU", TAG.lower(), times=2)).spans
    assert spans[["hashtag", "uses"]].to_numpy().tolist() == [[TAG, 3]]


def test_a_capital_in_somebody_elses_spelling_does_not_help():
    assert entered(post(1, "ACLU", TAG.lower(), times=3), post(1, "MoveOn", TAG, times=2)) == []


def test_of_two_accounts_on_one_day_the_busier_brings_it_in():
    spans = track(post(1, "ACLU", TAG, times=3), post(1, "CNN", TAG, times=4)).spans
    assert spans[["entered_by", "uses"]].to_numpy().tolist() == [["CNN", 4]]


def test_it_collects_everybodys_posts_while_it_is_tracked_and_in_any_case():
    tracked = track(
        post(1, "ACLU", TAG, times=3),
        post(1, "early", TAG),
        post(2, "first", TAG, hour=0),
        post(3, "last", "other", TAG.upper(), hour=23),
        post(4, "late", TAG, hour=0),
        post(3, "else", "FamiliesBelong"),
    )
    assert tracked.posts.to_numpy().tolist() == [[TAG, "4", 0], [TAG, "5", 0]]
    assert tracked.spans["posts"].tolist() == [2]


def test_the_day_of_entry_can_be_collected_too():
    tracked = track(post(1, "ACLU", TAG, times=3), post(1, "early", TAG), with_entry_day=True)
    assert tracked.posts["post_id"].tolist() == ["0", "1", "2", "3"]


def left(*groups, **options):
    return list_days(track(*groups, **options).spans, "left")


def test_an_organization_that_uses_it_three_times_in_the_two_days_renews_it_for_two_more():
    renewed = (post(1, "ACLU", TAG, times=3), post(2, "MoveOn", TAG), post(3, "MoveOn", TAG, times=2))
    spans = track(*renewed).spans
    assert list_days(spans, "left") == [6]
    assert spans["renewals"].tolist() == [1]


def test_two_uses_by_an_organization_do_not_renew_it():
    assert left(post(1, "ACLU", TAG, times=3), post(2, "MoveOn", TAG, times=2)) == [4]


def test_uses_of_two_organizations_are_not_added_up():
    uses = post(2, "MoveOn", TAG, times=2), post(3, "ACLU", TAG, times=2)
    assert left(post(1, "ACLU", TAG, times=3), *uses) == [4]


@pytest.mark.parametrize("author", ["KamalaHarris", "CNN", "somebody"])
def test_only_organizations_renew(author):
    assert left(post(1, "ACLU", TAG, times=3), post(2, author, TAG, times=9)) == [4]


def test_another_kind_renews_where_it_is_told_to():
    uses = post(1, "ACLU", TAG, times=3), post(2, "CNN", TAG, times=3)
    assert left(*uses, renewed_by="media") == [6]


def test_the_uses_of_the_day_of_entry_do_not_renew():
    assert left(post(1, "ACLU", TAG, times=30)) == [4]


def test_a_lower_case_spelling_renews_too():
    assert left(post(1, "ACLU", TAG, times=3), post(3, "ACLU", TAG.lower(), times=3)) == [6]


def test_it_is_renewed_as_long_as_organizations_use_it():
    uses = [post(day, "ACLU", TAG, times=3) for day in (1, 2, 4, 6)]
    spans = track(*uses).spans
    assert (list_days(spans, "left"), spans["renewals"].tolist()) == ([10], [3])


def test_uses_count_for_the_look_that_follows_them_and_no_other():
    # Three uses over days 3 and 4: two before the look at the end of day 3, one after.
    assert left(post(1, "ACLU", TAG, times=3), post(3, "ACLU", TAG, times=2), post(4, "ACLU", TAG)) == [4]


def test_it_may_enter_again_after_it_left():
    spans = track(post(1, "ACLU", TAG, times=3), post(5, "CNN", TAG, times=3)).spans
    assert list_days(spans, "entered") == [2, 6]
    assert spans["entered_by"].tolist() == ["ACLU", "CNN"]


def test_uses_while_it_is_tracked_are_no_entry():
    # A politician's uses on the last tracked day neither renew it nor let it enter anew.
    spans = track(post(1, "ACLU", TAG, times=3), post(3, "KamalaHarris", TAG, times=5)).spans
    assert list_days(spans, "left") == [4]


def test_it_may_enter_on_the_first_day_on_which_it_is_no_longer_tracked():
    spans = track(post(1, "ACLU", TAG, times=3), post(4, "KamalaHarris", TAG, times=3)).spans
    assert (list_days(spans, "entered"), list_days(spans, "left")) == ([2, 5], [4, 7])


def test_a_hashtag_keeps_the_name_of_its_first_entry():
    tracked = track(
        post(1, "ACLU", TAG, times=3), post(5, "CNN", TAG.upper(), times=3), post(6, "x", TAG.lower())
    )
    assert tracked.spans["hashtag"].tolist() == [TAG, TAG]
    assert tracked.posts[["hashtag", "span"]].to_numpy().tolist() == [[TAG, 1]]


def test_where_the_posts_end_before_the_next_look_the_span_says_so():
    spans = track(post(1, "ACLU", TAG, times=3), post(2, "x", TAG), posts_end=True).spans
    assert spans["reason"].tolist() == ["posts end"]
    assert list_days(spans, "left") == [3]


def test_days_are_those_of_the_timezone():
    # 3 in the morning of day 2 in UTC is 11 in the evening of day 1 in New York.
    uses = (post(1, "ACLU", TAG, times=2), post(2, "ACLU", TAG, hour=3))
    assert entered(*uses) == []
    spans = track(*uses, timezone="America/New_York").spans
    assert str(spans["entered"][0]) == "2018-06-15 00:00:00-04:00"


def test_every_setting_moves_its_rule():
    assert entered(post(1, "ACLU", TAG, times=3), min_uses=3) == []
    assert entered(post(1, "ACLU", TAG, times=3), min_length=30) == []
    assert left(post(1, "ACLU", TAG, times=3), days=5) == [7]


def test_no_entry_gives_empty_tables_with_all_columns():
    tracked = track(post(1, "ACLU", "short"))
    assert (len(tracked.spans), len(tracked.posts)) == (0, 0)
    assert list(tracked.posts.columns) == ["hashtag", "post_id", "span"]


def test_posts_without_a_time_are_left_out_with_a_warning():
    posts = make(post(1, "ACLU", TAG, times=3))
    posts.loc[0, "posted_at"] = pd.NaT
    with pytest.warns(UserWarning, match="1 of 3 posts have no time"):
        assert vc.track_hashtags(posts, ACCOUNTS).spans.empty


def test_the_arguments_stay_as_they_were():
    posts, accounts = make(post(1, "ACLU", TAG, times=3)), ACCOUNTS.copy()
    before = posts.copy(deep=True)
    vc.track_hashtags(posts, accounts)
    pd.testing.assert_frame_equal(posts, before)
    pd.testing.assert_frame_equal(accounts, ACCOUNTS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"days": 0}, "days to be a whole number of at least 1"),
        ({"days": 1.5}, "days to be a whole number"),
        ({"min_length": True}, "min_length to be a whole number"),
        ({"min_uses": -1}, "min_uses to be a whole number of at least 0"),
        ({"renewed_by": "organisation"}, "kinds are media, organization, politician"),
    ],
)
def test_settings_out_of_range_are_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        track(post(1, "ACLU", TAG), **options)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("hashtags", TAG, "should hold lists"), ("posted_at", "2018-06-14", "should hold times")],
)
def test_posts_of_other_types_are_an_error(column, value, message):
    posts = make(post(1, "ACLU", TAG, times=3))
    posts[column] = value
    with pytest.raises(ValueError, match=message):
        vc.track_hashtags(posts, ACCOUNTS)


def test_a_missing_list_or_name_is_no_hashtag():
    posts = make(post(1, "ACLU", TAG, times=3), post(2, "somebody", None, TAG, ""), post(2, "other"))
    posts.at[len(posts) - 1, "hashtags"] = None
    uses = _list_uses(posts, timezone="UTC")
    assert uses.forms[uses.uses["form"]].tolist() == [TAG] * 4
    assert vc.track_hashtags(posts, ACCOUNTS).posts["post_id"].tolist() == ["3"]


def test_repeated_posts_are_an_error():
    posts = make(post(1, "ACLU", TAG, times=3)).assign(post_id="1")
    with pytest.raises(ValueError, match="come twice"):
        vc.track_hashtags(posts, ACCOUNTS)


def replay_slowly(posts, days=2, min_uses=2):
    """Go through the calendar day by day, as a person with a notebook would; give (tag, entered, left)."""
    kinds = dict(zip(ACCOUNTS["account"], ACCOUNTS["kind"], strict=True))
    organizations = [name for name, kind in kinds.items() if kind == "organization"]
    day_of = (posts["posted_at"] - pd.Timestamp("2018-06-13", tz="UTC")).dt.days
    last = int(day_of.max())
    uses = Counter(
        (author, tags[0], day)
        for author, tags, day in zip(posts["author"], posts["hashtags"], day_of, strict=True)
    )
    spans = []
    for tag in ("AlphaBetaGamma", "DeltaEpsilonZeta"):
        since = until = None
        for today in range(1, last + 1):
            if since is None:
                if any(uses[name, tag, today] > min_uses for name in kinds):
                    since, until = today + 1, today + days
            elif today == until:
                window = range(today - days + 1, today + 1)
                if any(sum(uses[name, tag, day] for day in window) > min_uses for name in organizations):
                    until += days
                else:
                    spans.append((tag, since, until + 1))
                    since = until = None
        if since is not None:
            spans.append((tag, since, min(until, last) + 1))
    return sorted(spans)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 12),
            st.sampled_from([*ACCOUNTS["account"], "somebody"]),
            st.sampled_from(["AlphaBetaGamma", "DeltaEpsilonZeta"]),
            st.integers(1, 4),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_the_replay_agrees_with_one_that_goes_day_by_day(groups):
    # One post on the first day, with too short a hashtag, by an account: with none of them it is an error.
    posts = make(
        post(1, "CNN", "short"), *(post(day, author, tag, times=times) for day, author, tag, times in groups)
    )
    spans = vc.track_hashtags(posts, ACCOUNTS).spans
    found = zip(spans["hashtag"], list_days(spans, "entered"), list_days(spans, "left"), strict=True)
    assert sorted(found) == replay_slowly(posts)


@pytest.mark.parametrize(
    ("form", "expected"), [("", False), ("A", False), ("aB", True), ("NotMyPresident", True), ("été", False)]
)
def test_a_capital_counts_after_the_first_character(form, expected):
    assert _has_capital(form) is expected


def test_what_simulated_accounts_bring_in_is_marked_and_its_figure_says_so():
    posts = make(post(0, "ACLU", TAG, times=3), post(5, "somebody"))
    for accounts, marked in ((ACCOUNTS, False), (ACCOUNTS.assign(simulated=True), True)):
        tracked = vc.track_hashtags(posts, accounts)
        assert ["simulated" in table for table in tracked] == [marked, marked]
        assert ("SIMULATED" in vc.plot_hashtag_spans(tracked.spans).to_json()) == marked
        table = vc.describe_accounts(posts.assign(followers=1), accounts, spans=tracked.spans)
        assert ("simulated" in table) == marked


@pytest.mark.parametrize("names", [["10000001"], ["aclu_"], ["Å B"]])
def test_accounts_of_which_none_is_an_author_are_refused(names):
    posts = make(*(post(1, name, TAG, times=3) for name in names))
    with pytest.raises(ValueError, match=r"none of 4 is: the accounts are such as 'ACLU', the authors"):
        vc.track_hashtags(posts, ACCOUNTS)


@pytest.mark.parametrize("author", ["@aclu", "ACLU ", "aclu"])
def test_accounts_are_matched_whatever_their_case_and_signs_and_so_are_the_columns(author):
    accounts = ACCOUNTS.rename(columns={"account": "Account", "kind": " KIND"})
    posts = make(post(1, author, TAG, times=3), post(60, "somebody"))
    assert vc.track_hashtags(posts, accounts).spans["entered_by"].tolist() == ["ACLU"]


def test_names_of_accounts_are_the_same_however_their_accents_are_typed():
    accounts = pd.DataFrame({"account": ["Caf\u00e9"], "kind": ["organization"]})
    posts = make(post(1, "cafe\u0301", TAG, times=3), post(60, "somebody"))
    assert len(vc.track_hashtags(posts, accounts).spans) == 1
