"""Small surveys for tests: who rates what, and a stand-in for Qualtrics."""

import csv
import json
import re

import numpy as np
import pandas as pd

from visclust.base.files import restore_cell
from visclust.survey.cells import read_rows_of_cells

ITEMS = ("hopeful", "proud", "angry")
ADDRESS = "https://example.org/i/{image_id}.jpg"
NAMES = ["=R1()", "Zoë, the second", "r3"]


def make_sample(sizes, *, loose=0):
    clusters = np.repeat([*range(len(sizes)), -1], [*sizes, loose])
    return pd.DataFrame(
        {
            "image_id": [f"i{i}" for i in range(len(clusters))],
            "cluster": clusters,
            "inclusion_probability": 0.5,
            "weight": 2.0,
        }
    )


def make_respondents(**counts):
    rows = [(f"{group}{i}", group) for group, count in counts.items() for i in range(count)]
    return pd.DataFrame(rows, columns=["respondent", "group"])


def look_up(ratings):
    return {(row.respondent, row.image_id, row.item): row.rating for row in ratings.itertuples()}


def run_qualtrics(folder, truth, path, *, choice_text=False, rows_of=lambda rows: rows):
    """Stand in for Qualtrics: take the exported files, and give what its CSV export looks like."""
    contacts = read_rows_of_cells(folder / "contacts.csv")
    questions = (folder / "survey.txt").read_text()
    items = re.findall(r"\[\[Choice:\d+\]\]\n(.*)", questions)
    fields = re.findall(r"\[\[ED:(.*)\]\]", questions)
    loops = len(read_rows_of_cells(folder / "loop_and_merge.csv")) - 1
    names = ["StartDate", "Status", "Finished", "Duration (in seconds)", "ResponseId", "ExternalReference"]
    texts = ["Start Date", "Response Type", "Finished", "Duration (in seconds)", "Response ID", "External"]
    for loop in range(1, loops + 1):
        for number, item in enumerate(items, start=1):
            names.append(f"{loop}_rating_{number}")
            texts.append(f'"How much?", from 1\nto 10 - {item}')
        names.append(f"{loop}_time_Page Submit")
        texts.append("Timing - Page Submit")
    names, texts = names + fields, texts + fields
    body = []
    for number, contact in enumerate(contacts[1:], start=1):
        given = dict(zip(contacts[0], contact, strict=True))
        row = ["2026-01-05", "IP Address", "True", "120", f"R_{number}", given["ExternalDataReference"]]
        for loop in range(1, loops + 1):
            for item in items:
                rating = truth[restore_cell(given["respondent"]), given[f"image_{loop}"], item]
                row.append(f"{rating} (label)" if choice_text else str(rating))
            row.append("30.5")
        body.append(row + [given[field] for field in fields])
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        ids = [json.dumps({"ImportId": f"QID_{i}"}) for i in range(len(names))]
        writer.writerows([names, texts, ids, *rows_of([dict(zip(names, row, strict=True)) for row in body])])


def as_rows(dicts):
    return [list(row.values()) for row in dicts]


def spoil(dicts):
    """Spoil a Qualtrics export in every way that is checked for."""
    first, second, third = dicts
    again = {**first, "ResponseId": "R_again", "1_rating_1": "1"}
    half = {**second, "ResponseId": "R_half", "Finished": "False", "2_rating_2": ""}
    preview = {**third, "ResponseId": "R_test", "Status": "Survey Preview"}
    stranger = {**third, "ResponseId": "R_who", "respondent": "nobody"}
    first |= {"1_rating_1": "11", "1_rating_2": "3.5", "1_rating_3": "lots", "2_rating_1": ""}
    second |= {f"{loop}_rating_{n}": "4" for loop in (1, 2) for n in (1, 2, 3)}
    third |= {"image_2": "elsewhere", "Duration (in seconds)": "1"}
    third |= {f"{loop}_time_Page Submit": "0.4" for loop in (1, 2)}
    return as_rows([preview, half, first, again, second, third, stranger])
