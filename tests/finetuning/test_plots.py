import numpy as np
import pandas as pd

import visclust as vc
from visclust.finetuning.scores import score_features


def test_plots_of_a_training_show_the_tables_rows():
    curve = pd.DataFrame(
        {"epoch": [1, 2], "train_loss": 0.5, "held_out_loss": 0.6, "held_out_average_precision": 0.7}
    )
    data = vc.plot_training(curve).to_dict()["datasets"]
    assert [len(rows) for rows in data.values()] == [2]
    scores = score_features(np.array([[0.9, 0.1], [0.2, 0.3]]), np.eye(2), features=["a", "b"])
    data = vc.plot_feature_scores(scores).to_dict()["datasets"]
    assert [len(rows) for rows in data.values()] == [2, 2, 2]
