"""Figures of a training, drawn from its tables."""

import altair as alt
import pandas as pd

from visclust.base.charts import GRAY, ORANGE, title_chart
from visclust.base.checks import checked
from visclust.base.simulated import is_simulated
from visclust.base.tables import check_columns

_PANELS = {
    "average_precision": ("Average precision", "base rate"),
    "roc_auc": ("ROC AUC", "guessing"),
    "f1": ("F1 at probability .5", "calling all positive"),
}


@checked
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


@checked
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
        A panel per measure; features from the most to the least frequent.

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
    panels: list[alt.LayerChart] = []
    for measure, (title, guess) in _PANELS.items():
        table = scores[scores["measure"] == measure]
        base = alt.Chart(table).encode(
            y=alt.Y(
                "feature:N",
                sort=order["feature"].tolist(),
                title=None,
                axis=alt.Axis(labels=not panels, ticks=not panels, labelLimit=240),
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
        interval = base.mark_rule(color=ORANGE, size=2).encode(
            x=alt.X("low:Q", title=title, scale=across), x2="high:Q"
        )
        point = base.mark_circle(color=ORANGE, size=60, opacity=1).encode(
            x=alt.X("estimate:Q", title=title, scale=across)
        )
        guessed = base.mark_tick(color="black", thickness=2, size=row * 0.6).encode(
            x=alt.X("by_guessing:Q", title=title, scale=across)
        )
        panels.append(
            (interval + point + guessed).properties(
                width=width,
                height=alt.Step(row),
                title=alt.Title(title, subtitle=f"dot: score with 95% interval; tick: {guess}"),
            )
        )
    return _mark(alt.hconcat(*panels, spacing=16), "How well features are found", scores)


def _mark(chart: alt.HConcatChart, text: str, table: pd.DataFrame) -> alt.HConcatChart:
    """Put a title with the mark over a figure whose labels were made up."""
    return chart.properties(title=title_chart(text, table)) if is_simulated(table) else chart
