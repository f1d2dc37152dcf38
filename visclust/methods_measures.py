"""The steps of a methods text about ratings as measures: reliability, invariance, and who was left out."""

from typing import Any

import pandas as pd

from visclust.methods_account import NOT_RECORDED, Account, say_many
from visclust.methods_files import StudyFile, find_call, spell, tell_simulated


def describe_measurement(account: Account) -> None:
    """Describe how reliable the dimensions are, and whether groups use their items alike."""
    account.begin("Measurement")
    file = account.open("reliability.parquet")
    if file is not None:
        _describe_reliability(account, file)
    file = account.open("invariance.parquet")
    if file is None:
        account.skip("invariance.parquet", Measurement_invariance="invariance")
    else:
        _describe_invariance(account, file)


def _describe_reliability(account: Account, file: StudyFile) -> None:
    table = account.files.read(file)
    made_up = tell_simulated(file, table)
    word = "SIMULATED ratings" if made_up else "ratings"
    for dimension, rows in table.groupby("dimension", sort=False):
        parts = [
            f"of {row['differences']}, {_span('alpha', row)} and {_span('omega', row)}"
            for row in rows.to_dict("records")
        ]
        items = say_many(int(rows["items"].iloc[0]), "item")
        account.say(
            f"reliability of {dimension} ({items}, {word}): {'; '.join(parts)}. Alpha is Cronbach's, omega "
            "McDonald's, and in brackets are intervals for new respondents",
            file,
        )
    account.count("dimensions with a reliability", table["dimension"].nunique(), file, simulated=made_up)


def _span(name: str, row: dict[Any, Any]) -> str:
    return f"{name} {spell(row[name])} ({spell(row[f'{name}_low'])} to {spell(row[f'{name}_high'])})"


def _describe_invariance(account: Account, file: StudyFile) -> None:
    table = account.files.read(file)
    made_up = tell_simulated(file, table)
    said = []
    for row in table.to_dict("records"):
        change = "" if pd.isna(row["cfi_change"]) else f", CFI {row['cfi_change']:+.3f}"
        freed = f", freed {row['freed']}" if row["freed"] else ""
        fit = f"CFI {row['cfi']:.3f}, RMSEA {row['rmsea']:.3f}, SRMR {row['srmr']:.3f}{change}{freed}"
        said.append(f"{row['model']} {'holds' if row['holds'] else 'fails'} ({fit})")
    word = "SIMULATED ratings" if made_up else "ratings"
    account.say(
        f"models of the {word} of all groups, each held against the one before by the change in CFI: "
        f"{'; '.join(said)}",
        file,
    )
    last = table["model"].iloc[-1]
    freed = table["freed"].iloc[-1]
    ours = f"{last}{f', freed: {freed}' if freed else ''}" if table["holds"].iloc[-1] else f"{last} fails"
    account.decide("Measurement invariance", ours, file, paper="invariance")


def describe_exclusions(account: Account) -> None:
    """Describe what the comparison of groups is without respondents who may not have paid attention."""
    account.begin("Exclusions")
    file = account.open("exclusions.parquet")
    if file is None:
        account.skip("exclusions.parquet", Compared_again_without="exclusions")
        return
    table = account.files.read(file)
    made_up = tell_simulated(file, table)
    call = find_call(file.record, "compare_exclusions")
    reasons = [each for each in table["excluded"].unique() if each != "nobody"]
    account.decide("Compared again without", [each.replace("_", " ") for each in reasons], file,
                   paper="exclusions")  # fmt: skip
    everybody = int(table["left"].max())
    word = "SIMULATED respondents" if made_up else "respondents"
    for reason, rows in table[table["excluded"].isin(reasons)].groupby("excluded", sort=False):
        gone, words = int(rows["dropped"].iloc[0]), str(reason).replace("_", " ")
        account.count(f"respondents with a rating who are {words}", gone, file, simulated=made_up)
        without = f"without respondents who are {words} ({spell(gone)} of {spell(everybody)} {word})"
        known = rows.dropna(subset=["shift"])
        if not gone:
            account.say(f"nobody of {spell(everybody)} {word} is {words}, so that nothing changes", file)
            continue
        if known.empty:
            account.say(f"{without} there is no comparison: {rows['note'].iloc[0]}", file)
            continue
        turned = known.loc[known["changed"], "item"].drop_duplicates().tolist()
        verdict = f"another claim would be made of {', '.join(turned)}" if turned else "no claim changes"
        weightings = " and ".join(known["weighting"].drop_duplicates())
        account.say(
            f"{without} differences between groups (weighting: {weightings}) move by at most "
            f"{known['shift'].abs().max():.2f} points, and {verdict}",
            file,
        )
    if not call:
        account.decide("How it was compared again", NOT_RECORDED, file)
