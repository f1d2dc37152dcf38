import numpy as np
import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.embedding.embed import Embedding


def test_the_channels_of_an_image_add_up_to_it(tmp_path):
    pixels = np.zeros((4, 8, 3), dtype=np.uint8)
    pixels[:, 2:6] = (10, 20, 30)  # the square in the middle
    Image.fromarray(pixels).save(tmp_path / "a.png")
    table = vc.split_channels(tmp_path / "a.png", side=2, detail=2)
    assert table.groupby("panel", sort=False)["colour"].unique().str[0].to_dict() == {
        "image": "#0a141e",
        "red": "#0a0000",
        "green": "#001400",
        "blue": "#00001e",
    }
    assert table.loc[table["panel"] == "green", "value"].tolist() == [20.0] * 4
    assert table["in_detail"].all()
    assert vc.plot_channels(table).to_dict()


def test_embedding_values_are_those_of_the_images_asked_for_and_name_the_training():
    trained = {"parameters": {"training": {"layers": "all", "learning_rate": "0.01"}}}
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    embeddings = {
        "pretrained": Embedding(x, ["a", "b", "c"], {}),
        "finetuned_01": Embedding(-x, ["a", "b", "c"], trained),
    }
    table = vc.list_embedding_values(embeddings, of=["c"], n=2)
    assert table["value"].tolist() == [4.0, 5.0, -4.0, -5.0]
    assert table["trained_on"].unique().tolist() == [
        "ImageNet",
        "ImageNet, then labels: all layers, learning rate 0.01",
    ]
    with pytest.raises(ValueError, match="'z'"):
        vc.list_embedding_values(embeddings, of=["z"])
    pixels = pd.DataFrame({"image_id": ["c"], "panel": "image", "row": 0, "column": 0, "colour": "#000000"})
    assert len(vc.plot_embedding_values(table, pixels).to_dict()["vconcat"]) == 1
