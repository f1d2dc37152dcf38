"""The steps of a methods text about meaning and feeling: frames, sample, survey, ratings, contrasts."""

from visclust.base.tables import UNASSIGNED
from visclust.methods_account import NOT_RECORDED, Account, say_many
from visclust.methods_files import StudyFile, find_call, list_calls, spell, tell_simulated


def describe_frames(account: Account) -> None:
    """Describe frames read off clusters, and their regression, where there are any."""
    account.begin("Frames")
    frames = account.files.get("frames.parquet")
    if not frames.usable:
        account.open("frames.parquet")
        return
    table = account.files.read(frames, ["cluster", "frame"])
    made_up = tell_simulated(frames, table)
    if made_up:
        account.mark("the frames")
    word = "SIMULATED frames" if made_up else "frames"
    account.count("frames", table["frame"].nunique(), frames, simulated=made_up)
    account.count("clusters with a frame", table["cluster"].nunique(), frames, simulated=made_up)
    account.say(f"{say_many(table['cluster'].nunique(), 'cluster')} carry {word}", frames)
    for file in account.files.find("frame_effects*.csv"):
        if not file.usable:
            account.open(file.name)
            continue
        calls = [call for call in list_calls(file.record) if "frame_use" in str(call["function"])]
        settings = calls[0].get("parameters", {}) if calls else {}
        effects = account.files.read(file)
        account.count("rows of effects", len(effects), file, simulated=made_up or "simulated" in file.name)
        if "rests_on" in effects.columns and len(effects):
            account.decide("The frames' regression rests on", effects["rests_on"].iloc[0], file)
        account.decide("Errors of the frames' regression", settings.get("errors", NOT_RECORDED), file)


def describe_sample(account: Account) -> None:
    """Describe the sampling design: who could be drawn, with which chance, and who was."""
    account.begin("Sample")
    file = account.open("sample.parquet")
    if file is None:
        account.skip("sample.parquet", Images_per_cluster="max_per_cluster", Sampled="sampled")
        return
    table = account.files.read(file)
    call = find_call(file.record, "draw_stratified_sample", "draw_random_sample")
    settings, name = call.get("parameters", {}), str(call.get("function", NOT_RECORDED))
    drawn, strata = len(table), table.loc[table["cluster"] != UNASSIGNED, "cluster"].nunique()
    covered = float(table["weight"].sum()) if "weight" in table.columns else float("nan")
    account.count("images drawn", drawn, file)
    account.count("clusters with a drawn image", strata, file)
    account.count("images for which the sample speaks (sum of weights)", round(covered), file)
    account.decide("Design", name, file, paper="design",
                   like_paper=name == "draw_stratified_sample" if call else None)  # fmt: skip
    if "max_per_cluster" in settings:
        rule = settings["max_per_cluster"]
        account.decide("Images per cluster", f"min({spell(rule)}, N - 1)", file, paper="max_per_cluster",
                       like_paper=rule == 5)  # fmt: skip
        account.decide(
            "Clusters of one image", "drawn" if settings.get("keep_singletons") else "not drawn", file
        )
        account.decide("Unassigned images drawn", settings.get("n_unassigned", 0), file)
    account.decide("Seed of the sample", str(call.get("seed", NOT_RECORDED)), file)
    account.decide("Sampled", f"{spell(drawn)} images of {spell(strata)} clusters", file, paper="sampled")
    chance = table["inclusion_probability"]
    account.say(
        f"the sample ({name}, seed {call.get('seed', NOT_RECORDED)}) holds {say_many(drawn, 'image')} of "
        f"{say_many(strata, 'cluster')}, drawn with probabilities of {chance.min():.2g} to "
        f"{chance.max():.2g}; by its weights it speaks for {spell(round(covered))} images",
        file,
    )
    clusters = account.files.get("clusters.parquet")
    if clusters.usable:
        corpus = account.files.read(clusters, ["cluster", "image_id", "representative"])
        if "representative" in corpus.columns:
            corpus = corpus[corpus["representative"].eq(corpus["image_id"])]
        left = int(corpus["cluster"].nunique() - corpus["cluster"].eq(UNASSIGNED).any()) - strata
        outside = len(corpus) - round(covered)
        source = f"{file.name}; {clusters.name}"
        account.count("clusters without a drawn image", left, source)
        account.count("pictures for which the sample does not speak", outside, source)
        said = f"{say_many(left, 'cluster')} gave none, and for {say_many(outside, 'picture')}"
        account.say(f"{said} the sample does not speak", source)


def describe_survey(account: Account) -> None:
    """Describe who was to rate what, and what was rated."""
    account.begin("Survey")
    file = account.open("assignment.parquet")
    if file is None:
        account.skip("assignment.parquet", Respondents="respondents", Images_per_respondent="per_respondent",
                     Ratings_of_an_image="ratings of an image")  # fmt: skip
    else:
        _count_assignment(account, file)
    study, source = account.files.study, account.files.settings
    if study is not None:
        items = [item for each in study.items.values() for item in each]
        account.decide("Items", f"{len(items)} in {len(study.items)} dimensions: {', '.join(items)}", source,
                       paper="items")  # fmt: skip
        account.decide("Scale", f"{study.scale[0]} to {study.scale[1]}", source, paper="scale",
                       like_paper=tuple(study.scale) == (1, 10))  # fmt: skip
    _describe_ratings(account, file)


def _count_assignment(account: Account, file: StudyFile) -> None:
    table = account.files.read(file, ["respondent", "group", "image_id"])
    made_up = tell_simulated(file, table)
    if made_up:
        account.mark("the respondents")
    groups = table.groupby("group")["respondent"].nunique()
    account.count("respondents", table["respondent"].nunique(), file, simulated=made_up)
    for group, number in groups.items():
        account.count(f"respondents of {group}", int(number), file, simulated=made_up)
    loads = table.groupby("respondent")["image_id"].size()
    each = spell(loads.min()) if loads.min() == loads.max() else f"{loads.min()} to {loads.max()}"
    by_image = table.groupby(["group", "image_id"]).size().groupby("group").agg(["mean", "min", "max"])
    spread = "; ".join(
        f"{spell(row['mean'])} times by {group} ({spell(row['min'])} to {spell(row['max'])})"
        for group, row in by_image.iterrows()
    )
    call = find_call(file.record, "assign_respondents")
    by_group = ", ".join(f"{spell(number)} of {group}" for group, number in groups.items())
    word = "SIMULATED respondents" if made_up else "respondents"
    account.decide("Respondents", f"{spell(int(groups.sum()))} {word}: {by_group}", file, paper="respondents")
    account.decide("Images per respondent", each, file, paper="per_respondent", like_paper=each == "8")
    account.decide("Ratings of an image", spread, file, paper="ratings of an image")
    account.decide("Seed of the assignment", str(call.get("seed", NOT_RECORDED)), file)
    account.say(
        f"{spell(int(groups.sum()))} {word} ({by_group}) were assigned {each} images each "
        f"({call.get('function', NOT_RECORDED)}, seed {call.get('seed', NOT_RECORDED)}), so that an image is "
        f"rated {spread}",
        file,
    )


def _describe_ratings(account: Account, assignment: StudyFile | None) -> None:
    account.begin("Ratings")
    file = account.open(account.files.ratings_name)
    if file is None:
        account.skip(account.files.ratings_name, Exclusions="")
        return
    table = account.files.read(file, ["respondent", "group", "image_id", "item", "rating"])
    made_up = tell_simulated(file, table)
    if made_up:
        account.mark("the ratings")
    given = table.dropna(subset=["rating"])
    word = "SIMULATED ratings" if made_up else "ratings"
    account.count("ratings given", len(given), file, simulated=made_up)
    account.count("ratings missing", len(table) - len(given), file, simulated=made_up)
    account.count("respondents with a rating", given["respondent"].nunique(), file, simulated=made_up)
    account.count("images with a rating", given["image_id"].nunique(), file, simulated=made_up)
    items, people, seen = (
        say_many(given[name].nunique(), word_of)
        for name, word_of in (("item", "item"), ("respondent", "respondent"), ("image_id", "image"))
    )
    missing = spell(len(table) - len(given))
    account.say(
        f"there are {spell(len(given))} {word} of {items} by {people} of {seen}, and {missing} are missing",
        file,
    )
    call = find_call(file.record, "drop_respondents", "read_ratings")
    because = call.get("parameters", {}).get("because")
    account.decide("Exclusions", because if because is not None else "nobody was dropped, as the record tells"
                   if call else NOT_RECORDED, file)  # fmt: skip
    if assignment is not None:
        asked = account.files.read(assignment, ["respondent"])["respondent"]
        gone = len(set(asked) - set(given["respondent"]))
        source = f"{assignment.name}; {file.name}"
        account.count("assigned respondents without any rating here", gone, source, simulated=made_up)
        have = "has" if gone == 1 else "have"
        account.say(f"{say_many(gone, 'assigned respondent')} {have} no rating here", source)


def describe_contrasts(account: Account) -> None:
    """Describe how groups were compared."""
    account.begin("Comparison of groups")
    file = account.open("group_contrasts.parquet")
    if file is None:
        account.skip("group_contrasts.parquet", Weighting_of_images="weighting")
        return
    table = account.files.read(file)
    made_up = tell_simulated(file, table)
    calls = {str(call["function"]): call for call in list_calls(file.record)
             if call["function"] in ("compare_groups", "fit_mixed_contrast")}  # fmt: skip
    account.count("contrasts", len(table), file, simulated=made_up)
    weightings = table["weighting"].drop_duplicates().tolist()
    account.decide("Weighting of images", weightings, file, paper="weighting",
                   like_paper=None if "clusters" in weightings else False)  # fmt: skip
    for name, call in calls.items():
        settings = call.get("parameters", {})
        kept = {each: settings[each] for each in ("method", "n_bootstrap", "level", "reference")
                if settings.get(each) is not None}  # fmt: skip
        if "respondent_weights" in (call.get("inputs") or {}):
            kept["respondents"] = "weighted"
        elif "respondent_weights" in settings:
            kept["respondents"] = "counting alike"
        account.decide(f"Settings of {name}", f"{spell(kept)}, seed {call.get('seed')}".lstrip(", "), file)
    chosen = table["specification"].eq("primary") if "specification" in table.columns else None
    primary = "" if chosen is None else spell(table.loc[chosen, "weighting"].drop_duplicates().tolist())
    account.decide("Primary specification", primary or NOT_RECORDED, file)
    word = "SIMULATED ratings" if made_up else "ratings"
    account.say(
        f"{word} of groups were compared by {' and '.join(calls) or 'functions that no record names'} "
        f"(weightings: {', '.join(weightings)}), with p values also after Benjamini and Hochberg",
        file,
    )
