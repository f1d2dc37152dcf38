from visclust.base.charts import GRAY, ORANGE, colour_by


def test_a_legend_holds_the_words_in_their_order_each_with_its_colour():
    colour = colour_by("kind", {"new": ORANGE, "seen": GRAY}, orient="top").to_dict()
    assert colour["field"] == "kind"
    assert colour["scale"] == {"domain": ["new", "seen"], "range": [ORANGE, GRAY]}
    assert colour["legend"] == {"orient": "top"}
