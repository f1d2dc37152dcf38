"""What the tests of fine-tuning share: a corpus of small pictures with labels, and one thread."""

import numpy as np
import pandas as pd
import pytest
import torch
from small_encoders import paint

import visclust as vc


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """Thirty images, every third of them reddish, with two labels; the second is missing for the last ten."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    for number in range(30):
        paint(rng, number % 3 == 0).save(folder / f"{number:02}.png")
    images = vc.index_images(folder, progress=False)
    number = np.arange(30)
    labels = pd.DataFrame({"image_id": images["image_id"], "red": (number % 3 == 0).astype(float)})
    labels["other"] = np.where(number < 20, (number % 2 == 0).astype(float), np.nan)
    return images, labels


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks this small are slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
