"""The steps of a methods text that rest on people: pairs, scores, frames, sample, survey, contrasts."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from visclust.annotation.answers import current_answers, read_answers
from visclust.annotation.features import aggregate_labels
from visclust.annotation.identity import is_same_person
from visclust.annotation.judgements import agreement
from visclust.base.tables import UNASSIGNED
from visclust.methods_account import NOT_RECORDED, NOT_YET, Account, say_many
from visclust.methods_files import StudyFile, find_call, list_calls, spell, tell_simulated

_MEASURES = {"f1": "F1", "mean_precision_recall": "mean of precision and recall"}
_WORDS = {"percent_agreement": "percent agreement", "cohens_kappa": "Cohen's kappa",
          "krippendorffs_alpha": "Krippendorff's alpha"}  # fmt: skip


def describe_pairs(account: Account) -> None:
    """Describe the pairs, who judged them, how far people agree, and the gold table."""
    account.begin("Pairs judged by people")
    pairs = account.open("pairs.parquet")
    if pairs is None:
        account.skip("pairs.parquet", Pairs="pairs", Strata_of_the_pairs="draft")
    else:
        _count_pairs(account, pairs)
    _describe_answers(account)
    gold = account.open("gold.parquet")
    if gold is None:
        account.skip("gold.parquet", Rule_for_gold="")
        return
    table = account.files.read(gold, ["pair_id", "same", "looks"])
    made_up = tell_simulated(gold, table)
    if made_up:
        account.mark("the answers to pairs")
    same = int(table["same"].sum())
    account.count("pairs with a gold answer", len(table), gold, simulated=made_up)
    account.count('gold answers "same"', same, gold, simulated=made_up)
    account.count('gold answers "different"', len(table) - same, gold, simulated=made_up)
    call = find_call(gold.record, "resolve", "merge_looks")
    rule = call.get("parameters", {}).get("rule", NOT_RECORDED)
    account.decide("Rule for gold", rule, gold)
    if "looks" in table.columns:
        again = int(table["looks"].gt(1).sum())
        account.count("gold pairs that were looked at again", again, gold, simulated=made_up)
        account.say(f"{say_many(again, 'gold pair')} rest on more than one look", gold)
    account.decide("A second look", call.get("function") == "merge_looks" if call else NOT_RECORDED, gold)
    reviews = account.files.get("reviews.parquet")
    if reviews.usable:
        shown = account.files.read(reviews, ["pair_id", "look", "decoy"])
        account.count("pairs shown again, decoys among them", len(shown), reviews, simulated=made_up)
        account.count("of these: decoys", int(shown["decoy"].sum()), reviews, simulated=made_up)
    elif reviews.status != "missing":
        account.open(reviews.name)
    word = "SIMULATED answers" if made_up else "answers"
    pairs_said = say_many(len(table), "gold pair")
    account.say(f'by the rule "{rule}" {word} gave {pairs_said}, {spell(same)} of them the same', gold)
    if pairs is not None and (open_pairs := int(_count_rows(account, pairs) - len(table))) > 0:
        account.count(
            "pairs without a gold answer", open_pairs, f"{pairs.name}; {gold.name}", simulated=made_up
        )
        account.say(f"{say_many(open_pairs, 'pair')} have no gold answer", pairs, gold)


def _count_rows(account: Account, file: StudyFile) -> int:
    """Count the rows of a table."""
    return len(account.files.read(file, []))


def _count_pairs(account: Account, file: StudyFile) -> None:
    table = account.files.read(file, ["pair_id", "stratum", "wave", "inclusion_probability"])
    account.count("pairs drawn", len(table), file)
    for stratum, number in table["stratum"].value_counts().items():
        account.count(f"pairs of the stratum {stratum}", int(number), file)
    if "wave" in table.columns:
        account.count("draws (waves)", table["wave"].nunique(), file)
    call = find_call(file.record, "sample_pairs")
    settings = call.get("parameters", {})
    account.decide("Pairs", len(table), file, paper="pairs", like_paper=len(table) == 554)
    shares = settings.get("strata", NOT_RECORDED)
    account.decide("Shares of the strata", "as sample_pairs suggests" if shares is None else shares, file)
    design = account.files.get("pair_design.parquet")
    how = NOT_RECORDED
    if design.usable:
        how = find_call(design.record, "design_pairs").get("parameters", {}).get("how", NOT_RECORDED)
    account.decide("Strata of the pairs", how, design if design.usable else file, paper="draft")
    account.decide("Seed of the pairs", str(call.get("seed", NOT_RECORDED)), file)
    chance = table["inclusion_probability"]
    least, most = (f"{each:.2g}" for each in (chance.min(), chance.max()))
    names = ", ".join(sorted(table["stratum"].unique()))
    account.say(
        f"{say_many(len(table), 'pair')} of images were drawn with known probabilities ({least} to {most}; "
        f"seed {call.get('seed', NOT_RECORDED)}), in the strata {names}",
        file,
    )


def _describe_answers(account: Account) -> None:
    """Count the answers in the folder, and measure the agreement of those who gave them."""
    paths = account.files.list_answers("answers")
    source = f"answers/ ({say_many(len(paths), 'file')})"
    if not paths:
        account.say(f"people's answers to pairs: {NOT_YET}, as far as the folder answers/ tells")
        account.count("(answers to pairs)", f"{NOT_YET}: there is no file", "answers/")
        account.decide("Annotators of pairs", NOT_YET, "answers/", paper="annotators of pairs")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            standing, later = _part_looks(account, _read_standing(account, paths))
            found = agreement(standing).measures
    except (OSError, ValueError, KeyError) as error:
        account.say(f"answers/ cannot be used: {str(error).splitlines()[0]}")
        account.count("(answers to pairs)", "cannot be used", source)
        return
    made_up = "simulated" in found.columns and bool(found["simulated"].any())
    people = standing["annotator"].nunique()
    account.count("annotators of pairs", people, source, simulated=made_up)
    account.count("answers that stand", len(standing), source, simulated=made_up)
    if later:
        account.count("answers of later looks, not in the agreement", later, source, simulated=made_up)
    for answer, number in standing["answer"].value_counts().items():
        account.count(f'answers "{answer}"', int(number), source, simulated=made_up)
    account.decide("Annotators of pairs", people, source, paper="annotators of pairs", like_paper=people == 2)
    for row in found.to_dict("records"):
        account.agreement.append(
            {
                "what": "pairs",
                "measure": _WORDS.get(row["measure"], row["measure"]),
                "estimate": spell(row["estimate"]),
                "low": spell(row["low"]),
                "high": spell(row["high"]),
                "items": spell(row["n_pairs"]),
                "annotators": spell(row["n_annotators"]),
                "paper": PAPERS_AGREEMENT.get(row["measure"], ""),
                "file": source,
                "note": "; ".join(["SIMULATED"] * made_up + [str(row["note"] or "")]).strip("; "),
            }
        )
    known = found.dropna(subset=["estimate"])
    if len(known):
        said = ", ".join(
            f"{_WORDS.get(row['measure'], row['measure'])} {spell(row['estimate'])} "
            f"({spell(row['low'])} to {spell(row['high'])})"
            for row in known.to_dict("records")
        )
        said = f"{say_many(people, 'annotator')} agreed: {said}"
        account.say(f"{said}, with 95% intervals from resampled pairs", source)
    else:
        account.say(
            f"{say_many(people, 'annotator')} answered; agreement needs two on the same pairs", source
        )


def describe_feature_answers(account: Account) -> None:
    """Count who labelled features, and measure how far they agree on each."""
    paths = account.files.list_answers("feature_answers")
    if not paths:
        return
    account.begin("Fine-tuning")
    source = f"feature_answers/ ({say_many(len(paths), 'file')})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            people = [path for path in paths if not path.name.startswith("simulated")]
            found = aggregate_labels(read_answers(people or paths)).agreement
    except (OSError, ValueError, KeyError) as error:
        account.say(f"feature_answers/ cannot be used: {str(error).splitlines()[0]}")
        account.count("(answers to features)", "cannot be used", source)
        return
    made_up = bool(found["simulated"].any())
    account.count("annotators of features", int(found["n_annotators"].max()), source, simulated=made_up)
    for row in found.to_dict("records"):
        account.agreement.append(
            {
                "what": f"feature {row['feature']}",
                "measure": _WORDS["krippendorffs_alpha"],
                "estimate": spell(row["alpha"]),
                "low": spell(row["alpha_low"]),
                "high": spell(row["alpha_high"]),
                "items": spell(row["n_shared"]),
                "annotators": spell(row["n_annotators"]),
                "paper": "",
                "file": source,
                "note": "; ".join(["SIMULATED"] * made_up + [str(row["note"] or "")]).strip("; "),
            }
        )


PAPERS_AGREEMENT = {"percent_agreement": "87", "cohens_kappa": ".64"}


def _read_standing(account: Account, paths: Iterable[Any]) -> pd.DataFrame:
    """Read the answers that stand, those of people where there are any, without the adjudicator's."""
    paths = list(paths)
    people = [path for path in paths if not path.name.startswith("simulated")]
    standing = current_answers(read_answers(people or paths))
    study = account.files.study
    decides = study.adjudicator if study is not None else ""
    if decides:
        theirs = [is_same_person(name, decides) for name in standing["annotator"]]
        standing = standing[[not each for each in theirs]]
        account.decide(
            "An adjudicator",
            "decides where annotators disagree; not in the agreement",
            account.files.settings,
        )
    return standing


def _part_looks(account: Account, standing: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Keep the answers to the pairs as they were first shown, and count those to pairs that came again.

    A pair comes again under another name because of what was said of it, so that agreement on it tells
    nothing of the annotators.
    """
    reviews = account.files.get("reviews.parquet")
    if not reviews.usable:
        return standing, 0
    again = standing["item_id"].isin(account.files.read(reviews, ["pair_id"])["pair_id"])
    return standing[~again], int(again.sum())


def describe_scores(account: Account) -> None:
    """Describe the grid, how configurations were scored, and whether the clusters are the winner's."""
    account.begin("Configurations")
    grid = account.open("grid.parquet")
    if grid is not None:
        table = account.files.read(grid, ["configuration", "method", "seed"])
        account.count("configurations", table["configuration"].nunique(), grid)
        account.count("runs, one for each configuration and seed", len(table), grid)
        for method, number in table.drop_duplicates("configuration")["method"].value_counts().items():
            account.count(f"configurations, {method}", int(number), grid)
        settings = find_call(grid.record, "grid_search").get("parameters", {})
        for name, words in (("rows", "Rows tried"), ("step_sizes", "Steps tried"), ("seeds", "Seeds tried"),
                            ("similarity_thresholds", "Thresholds tried")):  # fmt: skip
            paper = {"rows": "rows", "step_sizes": "step", "similarity_thresholds": "threshold"}.get(name, "")
            account.decide(words, settings.get(name, NOT_RECORDED), grid, paper=paper)
        account.say(f"{say_many(table['configuration'].nunique(), 'configuration')} were tried", grid)
    scores = account.open("configuration_scores.parquet")
    if scores is None:
        account.skip("configuration_scores.parquet", Measure="measure")
        return
    table = account.files.read(scores)
    call = find_call(scores.record, "compare_configurations", "cross_validate")
    settings = call.get("parameters", {})
    made_up = tell_simulated(scores, table)
    won = table[table["winner"]] if "winner" in table.columns else table.head(0)
    criterion = str(settings.get("measure", NOT_RECORDED))
    words = _MEASURES.get(criterion, criterion)
    account.decide("Measure", words, scores, paper="measure", like_paper=criterion == "mean_precision_recall")
    account.decide("Weights of the pairs", _say_weights(call), scores)
    seeds = table["n_seeds"].dropna() if "n_seeds" in table.columns else table.head(0)
    if len(seeds):
        account.count("seeds of a configuration, at most", int(seeds.max()), scores, simulated=made_up)
    account.count("configurations scored", table["configuration"].nunique(), scores, simulated=made_up)
    if "cannot_be_told_apart" in table.columns:
        alike = int(table["cannot_be_told_apart"].sum())
        account.count("that cannot be told from the reference", alike, scores, simulated=made_up)
    level = f"{100 * settings['level']:g}% " if isinstance(settings.get("level"), float) else ""
    for row in won.to_dict("records"):
        numbers = [
            f"{_MEASURES.get(name, name)} {spell(row[name])} ({spell(row.get(f'{name}_low'))} to "
            f"{spell(row.get(f'{name}_high'))})"
            for name in ("precision", "recall", "f1", "mean_precision_recall")
            if name in row
        ]
        if row.get("n_seeds", 1) > 1 and "seed_sd" in row:
            spread = f"seeds, whose standard deviation is {spell(row['seed_sd'])}"
            numbers.append(f"means over {spell(int(row['n_seeds']))} {spread}")
        made = "on SIMULATED answers " if made_up else ""
        account.say(
            f'by {words} the best configuration was "{row["configuration"]}", {made}with '
            f"{', '.join(numbers)}; in brackets are {level}intervals, and what is chosen on these same pairs "
            "looks a little better than it is",
            scores,
        )
        _hold_against_clusters(account, row, scores)


def _say_weights(call: Mapping[str, Any]) -> str:
    """Say for which pairs the scores speak, by the record of their call."""
    given, settings = call.get("inputs") or {}, call.get("parameters", {})
    if "design" in given:
        return "post-stratified by the pair design, for all pairs of the corpus"
    if "weights" in given or settings.get("weights") is not None:
        return "weighted by the design, for all pairs of the corpus"
    return "as drawn (raw), for these pairs alone" if "weights" in settings else NOT_RECORDED


def _hold_against_clusters(account: Account, won: dict[Any, Any], scores: StudyFile) -> None:
    """Say whether the clusters that are used were made with the settings of the winner."""
    clusters = account.files.get("clusters.parquet")
    call = find_call(clusters.record, "cluster_iteratively") if clusters.usable else {}
    settings = call.get("parameters", {})
    ours = {"method": "iterative" if call else None, "step": settings.get("step_size"),
            "threshold": settings.get("similarity_threshold"), "rows": settings.get("rows"),
            "seed": call.get("seed")}  # fmt: skip
    known = {name: value for name, value in ours.items() if value is not None and name in won}
    if not known:
        return
    other = [name for name, value in known.items() if won[name] != value and str(won[name]) != str(value)]
    said = f"differ in {', '.join(other)}" if other else f"agree in {', '.join(known)}"
    account.decide(
        "The clusters' settings and the best configuration's", said, f"{clusters.name}; {scores.name}"
    )
    if other:
        account.say("the clusters that were used are not those of this configuration: their settings "
                    f"{said}", clusters, scores)  # fmt: skip


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
