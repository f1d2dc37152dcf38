import numpy as np
import pytest
import torch
from small_encoders import tiny_encoder
from trainings import make_settings

from visclust.finetuning.batches import CachedBatches
from visclust.finetuning.network import (
    TrainedNetwork,
    choose_precision,
    predict_logits,
    prepare_network,
    sum_loss,
)


def test_a_network_is_parted_before_its_last_block():
    parts = prepare_network(tiny_encoder(), n_features=3, layers="last_block", seed=0)
    assert (len(parts.frozen), len(parts.trained), parts.head.out_features) == (4, 3, 3)


def test_the_last_block_of_a_real_network_gives_the_features_of_the_whole(lite0):
    network = prepare_network(lite0, n_features=2, layers="last_block", seed=0)
    batch = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.trained(network.frozen(batch)), lite0.module(batch))


def test_a_network_without_a_known_last_block_is_refused():
    with pytest.raises(ValueError, match='layers="all" or layers="head"'):
        prepare_network(
            tiny_encoder()._replace(module=torch.nn.ModuleDict({"a": torch.nn.Linear(1, 1)})),
            n_features=1,
            layers="last_block",
            seed=0,
        )


def test_a_cpu_computes_in_float32_unless_asked():
    assert choose_precision("auto", torch.device("cpu")) == "float32"
    assert choose_precision("bfloat16", torch.device("cpu")) == "bfloat16"


def test_there_is_a_logit_per_feature_for_each_image():
    network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), torch.nn.Linear(1, 2), "")
    values = torch.arange(3.0).reshape(1, 3, 1)
    logits = predict_logits(network, CachedBatches(values, seed=0), np.arange(3), make_settings())
    with torch.inference_mode():
        by_hand = network.head(values[0]).numpy()
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, by_hand, rtol=1e-6, atol=1e-7)  # float32


def test_missing_labels_count_for_nothing():
    logits = torch.tensor([[0.3, -2.0], [5.0, 0.7]], requires_grad=True)
    loss, count = sum_loss(logits, np.array([[1.0, np.nan], [np.nan, 0.0]]), make_settings())
    loss.backward()
    by_hand = np.log1p(np.exp(-0.3)) + np.log1p(np.exp(0.7))
    assert count == 2
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)  # float32
    assert logits.grad[0, 1] == logits.grad[1, 0] == 0


def test_rare_features_are_weighted_by_negatives_per_positive():
    settings = make_settings(positive_weights=np.array([3.0]))
    loss, _ = sum_loss(torch.tensor([[0.0], [0.0]]), np.array([[1.0], [0.0]]), settings)
    assert loss.item() == pytest.approx(4 * np.log(2), rel=1e-6)  # float32
