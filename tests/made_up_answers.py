"""Answers for tests: rows of an answer file, and answers to pairs by annotator."""

import pandas as pd


def make_row(event_id="e1", item_id="p1", said="same", *, minute=0, **more):
    row = {"event_id": event_id, "item_id": item_id, "annotator": "Ana", "answer": said, "seconds": 1.5,
           "answered_at": f"2026-01-05T10:{minute:02}:00.000Z"}  # fmt: skip
    return row | more


def make_undo(event_id, retracts, item_id="p1", *, minute=1):
    return make_row(event_id, item_id, None, minute=minute, retracts=retracts, seconds=None)


def make_answers(by_annotator):
    """Answers by annotator, in the order of the items; None where there is none."""
    rows = [
        {"item_id": f"p{i}", "annotator": name, "answer": answer}
        for name, given in by_annotator.items()
        for i, answer in enumerate(given)
        if answer is not None
    ]
    table = pd.DataFrame(rows, columns=["item_id", "annotator", "answer"])
    return table.assign(
        answered_at=[f"2026-01-05T10:00:{i % 60:02d}Z" for i in range(len(table))],
        seconds=1.0,
        retracts=None,
        event_id=[f"e{i}" for i in range(len(table))],
    )


def make_table(counts, values=("same", "different", "unsure")):
    """Answers of two annotators whose table of counts (rows the first, columns the second) is given."""
    cells = [
        (a, b)
        for i, a in enumerate(values[: len(counts)])
        for j, b in enumerate(values[: len(counts)])
        for _ in range(counts[i][j])
    ]
    return make_answers({"ana": [a for a, _ in cells], "ben": [b for _, b in cells]})


def make_pairs(n):
    return pd.DataFrame(
        {
            "pair_id": [f"p{i}" for i in range(n)],
            "image_a": [f"a{i}" for i in range(n)],
            "image_b": [f"b{i}" for i in range(n)],
        }
    )
