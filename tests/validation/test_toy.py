import visclust as vc


def test_the_toy_shows_ten_images_three_times_with_their_scores():
    toy = vc.score_pair_toy()
    assert toy.groupby("clustering", sort=False).size().to_dict() == {
        "Perfect": 10,
        "One cluster": 10,
        "Each letter split": 10,
    }
    titles = [panel["title"]["subtitle"] for panel in vc.plot_pair_toy(toy).to_dict()["hconcat"]]
    assert titles == ["Precision 1, recall 1", "Precision 0.444, recall 1", "Precision 1, recall 0.4"]
