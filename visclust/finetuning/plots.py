"""Figures of a training, drawn from its tables."""

import altair as alt
import pandas as pd

from visclust.base.charts import GRAY, ORANGE, describe_intervals, drawn, label_long, title_chart
from visclust.base.figure_layout import TOGETHER
from visclust.base.simulated import is_simulated
from visclust.base.tables import check_columns

_PANELS = {
    "average_precision": ("Average precision", "share that shows it"),
    "roc_auc": ("ROC AUC", "one half"),
    "f1": ("F1 at p = .5", "calling all positive"),
}


@drawn
def plot_training(curve: pd.DataFrame, *, width: int = 320, height: int = 220) -> alt.HConcatChart:
    """Draw the loss per epoch, on the images trained on and on those held out, and the average precision.

    Parameters
    ----------
    curve : DataFrame
        The curve that `finetune` gives.
    width, height : int, pixels
        Of each of the two panels.

    Returns
    -------
    altair.HConcatChart
        Two panels side by side. Held-out loss that rises while the other falls says that the network learns
        its images by heart.

    Examples
    --------
    >>> curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.7, 0.5], "held_out_loss": [0.7, 0.6],
    ...                       "held_out_average_precision": [0.2, 0.4]})
    >>> len(plot_training(curve).hconcat)
    2
    """
    columns = ["epoch", "train_loss", "held_out_loss", "held_out_average_precision"]
    table = check_columns(curve, columns, "the curve")[columns]
    epoch = alt.X(
        "epoch:Q", title="Epoch", axis=alt.Axis(format="d", tickMinStep=1), scale=alt.Scale(nice=False)
    )
    base = alt.Chart(table).encode(x=epoch)
    losses = base.transform_fold(["train_loss", "held_out_loss"], as_=["side", "loss"]).transform_calculate(
        side="datum.side === 'train_loss' ? 'trained on' : 'held out'"
    )
    loss = (
        losses.mark_line(point=alt.OverlayMarkDef(size=20))
        .encode(
            y=alt.Y("loss:Q", title="Binary cross-entropy, mean over labels"),
            color=alt.Color(
                "side:N",
                title=None,
                scale=alt.Scale(domain=["trained on", "held out"], range=[GRAY, ORANGE]),
                legend=alt.Legend(orient="bottom"),
            ),
            strokeDash=alt.StrokeDash(
                "side:N",
                scale=alt.Scale(domain=["trained on", "held out"], range=[[4, 3], [1, 0]]),
                legend=None,
            ),
            tooltip=["epoch:Q", "side:N", alt.Tooltip("loss:Q", format=".4f")],
        )
        .properties(width=width, height=height, title="Loss")
    )
    precision = (
        base.mark_line(color=ORANGE, point=alt.OverlayMarkDef(color=ORANGE, size=20))
        .encode(
            y=alt.Y(
                "held_out_average_precision:Q",
                title="Mean over features",
                scale=alt.Scale(domain=[0, 1]),
            ),
            tooltip=["epoch:Q", alt.Tooltip("held_out_average_precision:Q", format=".3f")],
        )
        .properties(width=width, height=height, title="Average precision, held out")
    )
    return _mark(alt.hconcat(loss, precision, spacing=30), "The training", curve)


@drawn
def plot_feature_scores(scores: pd.DataFrame, *, width: int = 200, row: int = 22) -> alt.HConcatChart:
    """Draw how well each feature is found on held-out images, with intervals and what guessing would give.

    Parameters
    ----------
    scores : DataFrame
        The scores that `finetune` gives.
    width : int, pixels
        Of each of the three panels.
    row : int, pixels
        Height of a feature's row.

    Returns
    -------
    altair.HConcatChart
        A panel per measure; features from the most to the least frequent, each with the number of images that
        show it and of all that are labelled.

    Examples
    --------
    >>> scores = pd.DataFrame({"feature": "men", "measure": ["average_precision", "roc_auc", "f1"],
    ...     "estimate": 0.8, "low": 0.6, "high": 0.9, "base_rate": 0.3, "by_guessing": [0.3, 0.5, 0.46],
    ...     "positives": 3, "n": 10})
    >>> len(plot_feature_scores(scores).hconcat)
    3
    """
    columns = ["feature", "measure", "estimate", "low", "high", "base_rate", "by_guessing", "positives", "n"]
    check_columns(scores, columns, "the scores")
    order = scores.drop_duplicates("feature").sort_values("base_rate", ascending=False, kind="stable")
    labels = {
        row.feature: f"{row.feature}  ({row.positives} of {row.n})" for row in order.itertuples(index=False)
    }
    panels: list[alt.LayerChart] = []
    for measure, (title, _) in _PANELS.items():
        table = scores[scores["measure"] == measure]
        table = table.assign(label=table["feature"].map(labels))
        base = alt.Chart(table).encode(
            y=alt.Y(
                "label:N",
                sort=list(labels.values()),
                title=None,
                axis=alt.Axis(
                    labels=not panels, ticks=not panels, **label_long(wide=26, limit=200), labelLineHeight=10
                ),
            ),
            tooltip=[
                "feature:N",
                *(
                    alt.Tooltip(f"{name}:Q", format=".3f")
                    for name in ("estimate", "low", "high", "by_guessing")
                ),
                "positives:Q",
                "n:Q",
            ],
        )
        across = alt.Scale(domain=[0, 1])
        axis = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], labelExpr="datum.value % 0.5 ? '' : datum.label")
        interval = base.mark_rule(color=ORANGE, size=2).encode(
            x=alt.X("low:Q", title=title, scale=across, axis=axis), x2="high:Q"
        )
        point = base.mark_circle(color=ORANGE, size=60, opacity=1).encode(
            x=alt.X("estimate:Q", title=title, scale=across, axis=axis)
        )
        guessed = base.mark_tick(color="black", thickness=2, size=row * 0.6).encode(
            x=alt.X("by_guessing:Q", title=title, scale=across, axis=axis)
        )
        panels.append(alt.layer(interval, point, guessed).properties(width=width, height=alt.Step(row)))
    guesses = ", ".join(f"{guess} ({title})" for title, guess in _PANELS.values())
    said = [
        "Beside each name: images that show it, of those held out and labelled",
        f"Dots: score, lines: {describe_intervals(scores)}. Black ticks, guessing: {guesses}",
    ]
    heading = title_chart("How well features are found in held-out images", scores, subtitle=said)
    return alt.hconcat(*panels, spacing=14, name=TOGETHER).properties(title=heading)


def _mark(chart: alt.HConcatChart, text: str, table: pd.DataFrame) -> alt.HConcatChart:
    """Put a title with the mark over a figure whose labels were made up."""
    return chart.properties(title=title_chart(text, table)) if is_simulated(table) else chart
