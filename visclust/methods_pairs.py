"""The steps of a methods text about pairs: who judged them, how far people agree, and how clusters score."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from visclust.annotation.answers import current_answers, read_answers
from visclust.annotation.features import aggregate_labels
from visclust.annotation.identity import is_same_person
from visclust.annotation.judgements import agreement
from visclust.methods_account import NOT_RECORDED, NOT_YET, Account, say_many
from visclust.methods_files import StudyFile, find_call, spell, tell_simulated

_LATER = "answers of later looks, not in the agreement"
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
    _decide_second_look(account, gold, table, recorded=bool(call))
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


def _decide_second_look(account: Account, gold: StudyFile, table: pd.DataFrame, *, recorded: bool) -> None:
    """Say whether pairs were looked at again: by the answers, and not by what was selected for it."""
    answered = any(row["what"] == _LATER for row in account.counts)
    if "looks" in table.columns:
        # Of pairs that stay open after it, the gold table has no row.
        again: bool | str = bool(table["looks"].gt(1).any()) or answered
    else:
        again = False if recorded else NOT_RECORDED
    if again is False and account.files.get("reviews.parquet").usable:
        again = "pairs were selected for one, and its answers are in no gold table"
    account.decide("A second look", again, gold)


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
        account.count(_LATER, later, source, simulated=made_up)
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
    seeds = table["n_seeds"].dropna() if "n_seeds" in table.columns else pd.Series(dtype="int64")
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
        if row.get("kind") == "consensus":
            numbers.append(f"one consensus over {spell(int(row['n_seeds']))} seeds")
        elif row.get("n_seeds", 1) > 1 and "seed_sd" in row:
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


def describe_cross_validation(account: Account) -> None:
    """Describe how the winner scores on pairs that did not choose it."""
    account.begin("Cross-validation")
    file = account.open("cross_validation.parquet")
    if file is None:
        account.skip("cross_validation.parquet", Cross_validation="cross-validation")
        return
    table = account.files.read(file)
    made_up = tell_simulated(file, table)
    settings = find_call(file.record, "cross_validate").get("parameters", {})
    folds = settings.get("folds")
    together = ", pairs that share an image kept together where that is possible"
    account.decide(
        "Cross-validation",
        NOT_RECORDED if folds is None else
        f"{spell(folds)} folds{together if settings.get('group_by_image') else ''}",
        file, paper="cross-validation", like_paper=None if folds is None else folds == 5,
    )  # fmt: skip
    for row in table.to_dict("records"):
        words = _MEASURES.get(row["measure"], row["measure"])
        account.count("folds whose own winner it is", row["times_selected"], file, simulated=made_up)
        made = "on SIMULATED answers " if made_up else ""
        number = "the folds" if folds is None else say_many(folds, "fold")
        account.say(
            f'over {number} the configuration "{row["configuration"]}" has, {made}by {words}, a mean of '
            f"{spell(row['mean'])} (standard deviation {spell(row['sd'])}); whichever was best on the other "
            f"folds has {spell(row['honest_mean'])} on the one left out (standard deviation "
            f"{spell(row['honest_sd'])}, all of these pairs together {spell(row['honest_pooled'])}), so that "
            f"choosing adds {spell(row['optimism'])}; it was chosen {spell(row['times_selected'])} times",
            file,
        )


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
