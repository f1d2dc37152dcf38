import hashlib
import inspect
import os

import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.images.index import locate_images


def save(path, color="red", size=(8, 6), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)
    return path


def index(folder):
    images = vc.index_images(folder, progress=False)
    images["name"] = [path.rpartition("/")[2] for path in images["path"]]
    return images.set_index("name")


def test_an_image_is_named_by_the_hash_that_sha256sum_prints(tmp_path):
    path = save(tmp_path / "red.png")
    images = index(tmp_path)
    assert images.loc["red.png", "image_id"] == hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    assert images.loc["red.png", ["status", "reason", "width", "height"]].tolist() == ["ok", "", 8, 6]


def test_subfolders_are_searched_in_the_order_of_the_paths(tmp_path):
    for name in ("b/two.png", "a/one.jpg", "c.GIF"):
        save(tmp_path / name)
    assert index(tmp_path).index.tolist() == ["one.jpg", "two.png", "c.GIF"]


def test_other_files_and_hidden_files_are_left_out(tmp_path):
    save(tmp_path / "one.png")
    save(tmp_path / ".hidden.png")
    (tmp_path / "posts.csv").write_text("id")
    assert index(tmp_path).index.tolist() == ["one.png"]


def test_copies_are_duplicates_of_the_first(tmp_path):
    first = save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(first.read_bytes())
    images = index(tmp_path)
    assert images["status"].tolist() == ["ok", "duplicate"]
    assert images["image_id"].nunique() == 1
    assert images.loc["b.png", "reason"] == f"same bytes as {first}"
    assert len(vc.select_usable(images)) == 1


def test_files_that_are_no_images_become_rows_with_a_reason(tmp_path):
    whole = save(tmp_path / "whole.jpg", size=(200, 200)).read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.jpg").write_text("<html><body>404 not found</body></html>")
    images = index(tmp_path)
    assert images["status"].to_dict() == {
        "empty.jpg": "unreadable",
        "page.jpg": "unreadable",
        "truncated.jpg": "unreadable",
        "whole.jpg": "ok",
    }
    assert "empty" in images.loc["empty.jpg", "reason"]
    assert "<html" in images.loc["page.jpg", "reason"]
    assert "truncated" in images.loc["truncated.jpg", "reason"]
    assert images.loc["truncated.jpg", ["width", "height"]].isna().all()


def test_a_decompression_bomb_becomes_a_row_before_it_is_unpacked(tmp_path):
    # 400 megapixels of one colour are a file of some 50 kB.
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    images = index(tmp_path)
    assert images.loc["bomb.png", "status"] == "unreadable"
    assert "pixels" in images.loc["bomb.png", "reason"]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "1", "F", "YCbCr"])
def test_every_kind_of_pixel_is_read(tmp_path, mode):
    ending = {"CMYK": "jpg", "YCbCr": "jpg", "F": "tif"}.get(mode, "png")
    Image.new(mode, (7, 5)).save(tmp_path / f"image.{ending}")
    assert index(tmp_path)["status"].tolist() == ["ok"]


def test_a_photograph_on_its_side_has_the_size_it_is_seen_with(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    save(tmp_path / "turned.jpg", size=(8, 6), exif=exif)
    assert index(tmp_path).loc["turned.jpg", ["width", "height"]].tolist() == [6, 8]


def test_an_animation_is_one_image(tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert index(tmp_path)["status"].tolist() == ["ok"]


def test_file_names_with_markup_and_accents_are_kept_as_they_are(tmp_path):
    save(tmp_path / "<b>é 🐈.png")
    assert index(tmp_path).index.tolist() == ["<b>é 🐈.png"]


def test_a_missing_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        vc.index_images(tmp_path / "nowhere")


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="found none"):
        vc.index_images(tmp_path)


def test_no_usable_image_is_an_error_that_counts_the_others(make_images):
    with pytest.raises(ValueError, match="'unreadable': 2"):
        vc.select_usable(make_images("ab").assign(status="unreadable"))


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Images that were indexed by a relative path, and a working directory from which it leads nowhere."""
    for name, color in {"a": "red", "b": "green", "c": "blue"}.items():
        save(tmp_path / "study" / "imgs" / f"{name}.png", color)
    monkeypatch.chdir(tmp_path / "study")
    images = vc.index_images("imgs", progress=False)
    monkeypatch.chdir(tmp_path)
    return images


def test_files_are_found_by_id_in_the_order_asked_for(study, tmp_path):
    ids = study["image_id"].tolist()
    found = locate_images(study, ids[::-1], folder=tmp_path / "study")
    assert found == {
        i: str(tmp_path / "study" / "imgs" / f"{name}.png") for i, name in zip(ids[::-1], "cba", strict=True)
    }
    assert list(found) == ids[::-1]
    assert list(locate_images(study, folder="study")) == ids
    assert locate_images(study, []) == {}


def test_the_first_row_with_status_ok_says_where_an_image_is(make_images, tmp_path):
    images = make_images("aab").assign(
        status=["duplicate", "ok", "unreadable"], path=["1.png", "2.png", "3.png"]
    )
    save(tmp_path / "2.png")
    assert locate_images(images, folder=tmp_path) == {"a": str(tmp_path / "2.png")}
    with pytest.raises(ValueError, match=r"status 'ok' .* none for 2 of them \(the first is 'b'\)"):
        locate_images(images, ["a", "b", "z"], folder=tmp_path)


def test_paths_that_lead_nowhere_from_here_are_an_error_that_names_images_folder(study, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"3 of them are not there.* working directory.* images_folder"
    ) as error:
        locate_images(study)
    assert str(tmp_path / "imgs" / "a.png") in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"start at .*elsewhere \(images_folder\)"):
        locate_images(study, study["image_id"][:1], folder=tmp_path / "elsewhere")


def test_absolute_paths_that_lead_nowhere_are_an_error_too(study, tmp_path):
    gone = study.assign(path=[str(tmp_path / "gone" / path) for path in study["path"]])
    with pytest.raises(FileNotFoundError, match="run index_images again") as error:
        locate_images(gone, folder=tmp_path)
    assert "images_folder" not in str(error.value)


def test_single_files_that_are_gone_are_counted_in_a_warning(study, tmp_path):
    (tmp_path / "study" / "imgs" / "b.png").unlink()
    with pytest.warns(
        UserWarning, match=r"3 image files, but 1 of them are not there; the first is .*b\.png"
    ):
        found = locate_images(study, folder="study")
    assert len(found) == 3  # who reads it marks its place
    with pytest.warns(
        UserWarning, match="1 image files"
    ):  # the start is right: others of the table are there
        locate_images(study, study["image_id"][1:2], folder="study")
    with pytest.raises(FileNotFoundError, match="1 of them are not there"):
        locate_images(study, folder="study", complete=True)


def functions_with_images_folder():
    functions = {name: getattr(vc, name) for name in dir(vc) if inspect.isfunction(getattr(vc, name))}
    return {
        name: function
        for name, function in functions.items()
        if "images_folder" in inspect.signature(function).parameters
    }


def test_every_function_that_opens_images_says_the_same_before_it_starts(study, tmp_path, monkeypatch):
    monkeypatch.setattr("visclust.finetuning.labels._LEAST_LABELS", 1)  # so that these few are looked at
    ids = study["image_id"]
    clusters = pd.DataFrame({"image_id": ids, "cluster": 0, "iteration": 1, "silhouette": 0.1})
    pairs = pd.DataFrame({"pair_id": ["p"], "image_a": ids[:1], "image_b": ids[1], "stratum": "random",
                          "inclusion_probability": 0.1})  # fmt: skip
    assignment = pd.DataFrame({"respondent": "r", "group": "g", "position": [1, 2, 3], "image_id": ids,
                               "cluster": 0})  # fmt: skip
    labels = pd.DataFrame({"image_id": ids, "men": [1, 0, 1]})
    places = pd.DataFrame({"image_id": ids, "x": 0.0, "y": 0.0})
    chosen = pd.DataFrame({"cluster": [0], "letter": "A"})
    out = {"save_to": tmp_path / "out"}
    calls = {
        "hash_images": lambda **o: vc.hash_images(study, progress=False, **o),
        "find_duplicates": lambda **o: vc.find_duplicates(study, method="perceptual", progress=False, **o),
        "show_thumbnail_rows": lambda **o: vc.show_thumbnail_rows(clusters, study, **o),
        "encode_cluster_thumbnails": lambda **o: vc.encode_cluster_thumbnails(chosen, clusters, study, **o),
        "embed_images": lambda **o: vc.embed_images(study, **o),
        "finetune": lambda **o: vc.finetune(study, labels, save_to=tmp_path / "out.safetensors", **o),
        "list_trainable_features": lambda **o: vc.list_trainable_features(study, labels, **o),
        "describe_map": lambda **o: vc.describe_map(places, clusters, images=study, **o),
        "browse_clusters": lambda **o: vc.browse_clusters(clusters, study, **out, **o),
        "export_cluster_page": lambda **o: vc.export_cluster_page(
            clusters, study, save_to=tmp_path / "out.html", progress=False, **o
        ),
        "label_pairs": lambda **o: vc.label_pairs(pairs, study, annotator="r", **out, **o),
        "label_features": lambda **o: vc.label_features(study, annotator="r", **out, **o),
        "rate_images": lambda **o: vc.rate_images(assignment, study, respondent="r", **out, **o),
        "export_pair_page": lambda **o: vc.export_pair_page(pairs, study, annotator="r", **out, **o),
        "export_feature_page": lambda **o: vc.export_feature_page(study, annotator="r", **out, **o),
        "export_rating_page": lambda **o: vc.export_rating_page(
            assignment, study, respondent="r", **out, **o
        ),
        "export_survey": lambda **o: vc.export_survey(assignment, study, to="html", **out, **o),
    }
    assert set(calls) == set(functions_with_images_folder())
    for name, call in calls.items():
        with pytest.raises(FileNotFoundError, match="images_folder"):
            call()
            pytest.fail(f"{name} said nothing")
    quick = set(calls) - {"embed_images", "finetune"}  # those two would load a network
    for name in quick:
        calls[name](images_folder=tmp_path / "study")


def test_images_folder_is_explained_by_the_same_line_everywhere():
    line = (
        "    images_folder : str or path, optional\n"
        "        Where relative paths in `images` start; the working directory by default.\n"
    )
    other = [
        name for name, each in functions_with_images_folder().items() if line not in (each.__doc__ or "")
    ]
    assert not other


def test_a_name_that_is_no_utf8_becomes_a_row_with_the_bytes_shown_and_can_be_saved(tmp_path):
    save(tmp_path / "good.png")
    (tmp_path / "good.png").rename(tmp_path / os.fsdecode(b"caf\xe9.png"))
    save(tmp_path / "other.png", "blue")
    images = index(tmp_path)
    assert images.loc["caf\\xe9.png", "status"] == "unreadable"
    assert "rename the file" in images.loc["caf\\xe9.png", "reason"]
    assert images.loc["other.png", "status"] == "ok"
    vc.save_table(images.reset_index(drop=True), tmp_path / "images.parquet")


@pytest.mark.parametrize(
    "hidden",
    [
        ".ipynb_checkpoints/kept-checkpoint.jpg",
        ".Trash/x.jpg",
        "__MACOSX/1.jpg",
        "a/@eaDir/1.jpg",
        "$RECYCLE.BIN/1.jpg",
    ],
)
def test_any_part_of_a_path_that_is_hidden_is_left_out_and_counted(tmp_path, hidden, capsys):
    kept = save(tmp_path / "kept.jpg")
    save(tmp_path / hidden)
    images = index(tmp_path)
    assert images["path"].tolist() == [str(kept)]
    assert images["status"].tolist() == ["ok"]
    assert "1 hidden" in capsys.readouterr().out


def test_a_folder_below_a_hidden_one_is_indexed_when_it_is_asked_for(tmp_path):
    save(tmp_path / ".cache/mine/a.png")
    assert index(tmp_path / ".cache/mine").index.tolist() == ["a.png"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg:large", "JPEG"),
        ("b.jpg_large", "JPEG"),
        ("EabcXYZ?format=jpg&name=small", "JPEG"),
        ("none", "WEBP"),
        ("a.mpo", "MPO"),
        ("a.ppm", "PPM"),
        ("a.apng", "PNG"),
        ("a.jp2", "JPEG2000"),
        ("photo.JPG.download", "PNG"),
        ("a.dat", "GIF"),
        ("a.bin", "BMP"),
        ("scan.1", "TIFF"),
        ("a.avif.part2", "AVIF"),
    ],
)
def test_an_image_is_known_by_its_first_bytes_whatever_its_name(tmp_path, name, kind):
    Image.new("RGB", (9, 6), "red").save(tmp_path / name, format=kind)
    assert index(tmp_path).loc[name, ["status", "width", "height"]].tolist() == ["ok", 9, 6]


def test_what_is_no_image_is_counted_by_ending(tmp_path, capsys):
    save(tmp_path / "one.png")
    for name in ("posts.csv", "more.CSV", "film.mp4", "README", "BMW.txt", "RIFF.wav", "raw.nef"):
        (tmp_path / name).write_bytes(
            {"BMW.txt": b"BMW cars", "raw.nef": b"II*\x00rest"}.get(name, b"RIFFxxxxWAVE")
        )
    images = index(tmp_path)
    assert images.index.tolist() == ["one.png"]
    said = capsys.readouterr().out
    assert "7 that are no images" in said
    for part in ("2 .csv", "1 .mp4", "1 without ending", "1 .txt", "1 .wav", "1 .nef"):
        assert part in said
    assert images.attrs["provenance"]["parameters"]["other_files"][".csv"] == 2


def test_broken_links_links_to_folders_and_pipes_have_rows(tmp_path):
    save(tmp_path / "in" / "one.png")
    save(tmp_path / "elsewhere" / "two.png", "blue")
    (tmp_path / "in" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "file.png").symlink_to(tmp_path / "elsewhere" / "two.png")
    (tmp_path / "in" / "loop.png").symlink_to(tmp_path / "in" / "loop.png")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    images = index(tmp_path / "in")
    assert images["status"].eq("ok").to_dict() == {
        "file.png": True,
        "gone.jpg": False,
        "linked": False,
        "loop.png": False,
        "one.png": True,
        "pipe.png": False,
        "self": False,
    }
    assert "broken link" in images.loc["gone.jpg", "reason"]
    assert "not followed" in images.loc["linked", "reason"]
    assert "pipe" in images.loc["pipe.png", "reason"]


def test_a_folder_that_cannot_be_opened_has_a_row(tmp_path, monkeypatch):
    save(tmp_path / "one.png")
    save(tmp_path / "secret" / "two.png")
    scandir = os.scandir

    def refuse(place):  # root may open every folder, so that permissions alone would not do
        if str(place).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    images = index(tmp_path)
    assert images.loc["secret", ["status", "reason"]].tolist() == [
        "unreadable",
        "a folder that cannot be opened: Permission denied",
    ]


def test_a_folder_of_nothing_but_problems_says_what_they_are(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"found none\. .*1 \.txt.*gone\.jpg: a broken link"):
        vc.index_images(tmp_path)


def test_a_white_drawing_has_a_note_in_its_row(tmp_path):
    drawing = Image.new("RGBA", (20, 20), (255, 255, 255, 0))
    drawing.paste((255, 255, 255, 255), (3, 3, 9, 9))
    drawing.save(tmp_path / "a.png")
    assert index(tmp_path).loc["a.png", ["status", "reason"]].tolist() == [
        "ok",
        "drawn on grey: on white nothing of it would be seen",
    ]
