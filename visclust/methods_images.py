"""The steps of a methods text that are a computer's: corpus, embedding, fine-tuning, clusters."""

from collections.abc import Mapping
from typing import Any

from visclust.base.tables import UNASSIGNED
from visclust.methods_account import NOT_RECORDED, NOT_YET, Account, say_many
from visclust.methods_files import StudyFile, count_rows, find_call, spell, tell_simulated

_PAPERS_ENCODER = "resnet18"
# Settings of `cluster_iteratively`: the words for each, and the paper's value where it has one.
_SETTINGS: dict[str, tuple[str, str, Any]] = {
    "step_size": ("Step of K", "step", (3, 5)),
    "similarity_threshold": ("Similarity threshold", "threshold", (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)),
    "sample_size": ("Images on which K is chosen", "sample_size", (1000,)),
    "convergence_window": ("Window of the moving average", "convergence_window", (3,)),
    "stop_size": ("Images at which it stops", "stop_size", (20,)),
    "goodness_of_fit": ("Goodness of fit", "goodness_of_fit", ("silhouette",)),
    "max_stall": ("New seeds where no cluster is cohesive", "", ()),
    "silhouette": ("Kind of silhouette", "", ()),
    "risk": ("Risk of any decision that is not the exact one", "", ()),
}


def describe_corpus(account: Account) -> None:
    """Describe files of images, copies, and the posts that show them."""
    account.begin("Corpus")
    images = account.open("images.parquet")
    if images is not None:
        _count_images(account, images)
    posts = account.files.get("posts.parquet")
    if posts.usable:
        _count_posts(account, posts)
    elif posts.status == "missing":
        account.say(f"posts: {NOT_YET}, so nothing is said of who posted the images")
        account.decide("Posts", NOT_YET, posts.name, paper="posts")
    else:
        account.open(posts.name)
        account.skip(posts.name, Posts="posts")
    copies = account.open("duplicates.parquet")
    if copies is None:
        account.skip("duplicates.parquet", Near_copies="near copies")
    else:
        _count_copies(account, copies)


def _count_images(account: Account, file: StudyFile) -> None:
    table = account.files.read(file, ["image_id", "status"])
    status = table["status"].value_counts()
    usable, copies = int(status.get("ok", 0)), int(status.get("duplicate", 0))
    unread = status.drop(["ok", "duplicate"], errors="ignore")
    account.count("files", len(table), file)
    account.count("exact copies of another file", copies, file)
    account.count("files that cannot be used", int(unread.sum()), file)
    for why, number in unread.items():
        account.count(f"of these: {why}", int(number), file)
    account.count("different images", usable, file)
    left = find_call(file.record, "index_images").get("parameters", {})
    other = left.get("other_files")
    if isinstance(other, Mapping):
        account.count("files that are no image, by ending", sum(other.values()), file)
    account.say(
        f"the folder of images held {say_many(len(table), 'file')}: {spell(usable)} different images, "
        f"{spell(copies)} exact copies of one of them, and {spell(int(unread.sum()))} that could not be used",
        file,
    )
    account.decide("Images", f"{spell(usable)} different images of {spell(len(table))} files", file,
                   paper="images")  # fmt: skip


def _count_posts(account: Account, file: StudyFile) -> None:
    table = account.files.read(file, ["author", "posted_at"])
    made_up = tell_simulated(file, table) or bool(find_call(file.record, "load_example"))
    if made_up:
        account.mark("the posts")
    account.count("posts", len(table), file, simulated=made_up)
    account.count("authors", table["author"].nunique(), file, simulated=made_up)
    if table.empty:
        account.say("there are no posts", file)
        account.decide("Posts", "none", file, paper="posts")
        return
    times = table["posted_at"].dropna()
    days = f" from {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}" if len(times) else ""
    word = "SIMULATED posts" if made_up else "posts"
    authors = say_many(table["author"].nunique(), "author")
    account.say(f"there were {spell(len(table))} {word} by {authors}{days}", file)
    account.decide("Posts", f"{spell(len(table))} {word}{days}", file, paper="posts")
    links = account.open("posts_images.parquet")
    if links is not None:
        shown = account.files.read(links, ["post_id", "image_id"])
        account.count(
            "posts with an image of the corpus", shown["post_id"].nunique(), links, simulated=made_up
        )
        account.count("images in posts", shown["image_id"].nunique(), links, simulated=made_up)


def _count_copies(account: Account, file: StudyFile) -> None:
    table = account.files.read(file, ["image_id", "representative", "status"])
    table = table.drop_duplicates("image_id")
    images = account.files.get("images.parquet")
    if images.usable:  # a picture of one colour is an image too, though its copies cannot be looked for
        listed = account.files.read(images, ["image_id", "status"])
        table = table[table["image_id"].isin(listed.loc[listed["status"].eq("ok"), "image_id"])]
    else:
        table = table[table["status"].ne("unreadable")]
    bare = int(table["status"].ne("ok").sum())
    near = int(table["representative"].ne(table["image_id"]).sum())
    call = find_call(file.record, "find_duplicates")
    settings = call.get("parameters", {})
    how = settings.get("method", NOT_RECORDED)
    if settings.get("threshold") is not None:
        how = f"{how}, threshold {spell(settings['threshold'])}, {settings.get('grouping', '')} groups"
    account.count("near copies of another image", near, file)
    account.count("pictures, near copies counted once", len(table) - near, file)
    if bare:
        account.count("images of one colour or unread, whose near copies cannot be told", bare, file)
    study = account.files.study
    follow = study is None or study.near_copies == "follow"
    done = "follow the picture that stands for them" if follow else "count as images of their own"
    source = f"{file.name}; {account.files.settings}" if study else file.name
    account.decide("Near copies", f"{done} ({how})", source, paper="near copies")
    account.say(
        f"{say_many(near, 'image')} {'was a near copy' if near == 1 else 'were near copies'} of another "
        f"({how}); near copies {done}",
        source,
    )


def describe_embeddings(account: Account) -> None:
    """Describe the networks, their weights by digests, and fine-tuning."""
    account.begin("Embedding")
    found = account.files.find("embeddings/*.npy")
    if not found:
        account.open("embeddings/pretrained.npy")
        account.skip("embeddings/pretrained.npy", Encoder="encoder", Weights="weights")
    for file in found:
        if not file.usable:
            account.open(file.name)
            continue
        call = find_call(file.record, "embed_images")
        settings = call.get("parameters", {})
        encoder = settings.get("encoder", NOT_RECORDED)
        name = file.path.stem
        account.count(f"images embedded ({name})", count_rows(file.path), file)
        digest = str(settings.get("weights_digest", NOT_RECORDED))
        weights = f"{settings.get('weights', NOT_RECORDED)}, digest {digest}"
        plain = not settings.get("training")
        account.decide(
            f"Encoder ({name})", f"{encoder}, {spell(settings.get('dimension'))} values", file,
            paper="encoder", like_paper=encoder == _PAPERS_ENCODER if call else None,
        )  # fmt: skip
        account.decide(
            f"Weights ({name})", weights, file, paper="weights" if plain else "fine-tuned encoders"
        )
        if made_up := str((settings.get("training") or {}).get("simulated")).lower() == "true":
            account.mark(f"the labels that {name} was fine-tuned to")
        reason = str(settings.get("encoder_reason") or "")
        if reason and reason != "asked for by name":
            account.decide(f"Why this encoder ({name})", reason, file, paper=None)
        account.say(
            f"the network {encoder}{', fine-tuned to SIMULATED labels,' if made_up else ''} turned "
            f"{say_many(count_rows(file.path), 'image')} into {spell(settings.get('dimension'))} numbers "
            f'each (the embedding "{name}"; SHA-256 of the weights {digest[:16]})',
            file,
        )
    _describe_training(account)


def _describe_training(account: Account) -> None:
    account.begin("Fine-tuning")
    labels, encoders = account.files.get("labels.parquet"), account.files.find("encoders/*.safetensors")
    if labels.usable:
        table = account.files.read(labels)
        features = [name for name in table.columns if name not in ("image_id", "simulated")]
        made_up = tell_simulated(labels, table)
        if made_up:
            account.mark("the labels of features")
        account.count("labelled images", len(table), labels, simulated=made_up)
        account.count("features", len(features), labels, simulated=made_up)
        settings = find_call(labels.record, "aggregate_labels").get("parameters", {})
        account.decide("Labelled features", f"{len(features)}: {', '.join(features)}", labels,
                       paper="labelled features")  # fmt: skip
        account.decide("Rule for a label", settings.get("rule", NOT_RECORDED), labels)
        word = "SIMULATED answers" if made_up else "answers"
        account.say(f"{word} label {say_many(len(table), 'image')} for {say_many(len(features), 'feature')}",
                    labels)  # fmt: skip
    else:
        account.open("labels.parquet")
    for file in encoders:
        if not file.usable:
            account.open(file.name)
            continue
        settings = find_call(file.record, "finetune").get("parameters", {})
        how = ", ".join(
            f"{word} {spell(settings[name])}"
            for name, word in (("layers", "layers"), ("epochs", "epochs"), ("learning_rate", "learning rate"),
                               ("batch_size", "batches of"), ("held_out", "held out"))
            if name in settings
        )  # fmt: skip
        account.decide(
            f"Fine-tuning ({file.path.stem})", how or NOT_RECORDED, file, paper="fine-tuned encoders"
        )
        labels_said = " to SIMULATED labels" if tell_simulated(file) else ""
        account.say(
            f'the encoder "{file.path.stem}" was fine-tuned{labels_said} ({how or NOT_RECORDED})', file
        )
    if not encoders:
        account.decide("Fine-tuning", NOT_YET, "encoders/", paper="fine-tuned encoders")
        account.say(f"fine-tuning: {NOT_YET}")


def describe_clusters(account: Account) -> None:
    """Describe how rows were prepared and clustered, and what came of it."""
    account.begin("Clusters")
    file = account.open("clusters.parquet")
    if file is None:
        account.skip("clusters.parquet", Rows="rows", Step_of_K="step", Similarity_threshold="threshold")
        return
    _describe_rows(account, file)
    call = find_call(file.record, "cluster_iteratively", "cluster_once", "find_consensus")
    settings, method = call.get("parameters", {}), str(call.get("function", NOT_RECORDED))
    account.decide("Method", method, file, paper="method",
                   like_paper=method == "cluster_iteratively" if call else None)  # fmt: skip
    if method == "cluster_iteratively":
        for name, (words, paper, values) in _SETTINGS.items():
            if settings.get(name) is not None:  # a risk is taken by one kind of silhouette alone
                like = settings[name] in values if values else None
                account.decide(words, settings[name], file, paper=paper, like_paper=like)
    elif "n_clusters" in settings:
        account.decide("K", settings["n_clusters"], file)
    if call:
        account.decide("Seed of the clustering", str(call.get("seed")), file)
    table = account.files.read(file, ["image_id", "cluster", "representative"])
    sizes = table.loc[table["cluster"] != UNASSIGNED, "cluster"].value_counts()
    account.count("clustered images", len(table), file)
    account.count("clusters", len(sizes), file)
    account.count("clusters of one image", int(sizes.eq(1).sum()), file)
    account.count("images in a cluster", int(sizes.sum()), file)
    account.count("images left unassigned", int(len(table) - sizes.sum()), file)
    if len(sizes):
        account.count("images in the largest cluster", int(sizes.iloc[0]), file)
    account.say(
        f"images were clustered by {method} ({_spell_settings(settings) or 'settings: in no record'}; seed "
        f"{call.get('seed', NOT_RECORDED)}), which gave {say_many(len(sizes), 'cluster')} of "
        f"{say_many(int(sizes.sum()), 'image')} and left {spell(int(len(table) - sizes.sum()))} unassigned",
        file,
    )
    if "representative" in table.columns:
        pictures = int(table["representative"].eq(table["image_id"]).sum())
        account.say(
            f"{spell(pictures)} of them are pictures, and their near copies are in the same cluster", file
        )


def _describe_rows(account: Account, clusters: StudyFile) -> None:
    """Say how the rows were prepared that the clusters go back to, and which embedding they are of."""
    names = [name for name in clusters.record.get("sources", {}) if name.startswith(("prepared/", "embed"))]
    for name in names:
        if name.startswith("embed"):
            account.decide("Embedding that was clustered", name, clusters, paper="embedding")
    prepared = [account.files.get(name) for name in names if name.startswith("prepared/")]
    if not prepared:
        kind = find_call(clusters.record, "cluster_iteratively").get("parameters", {}).get("rows")
        account.decide("Rows", kind or NOT_RECORDED, clusters, paper="rows")
    for file in prepared:
        if not file.usable:
            account.open(file.name)
            continue
        call = find_call(file.record, "prepare_rows")
        settings = call.get("parameters", {})
        how = str(settings.get("done") or settings.get("how") or NOT_RECORDED)
        more = [f"{spell(settings['dimensions'])} dimensions"] if "dimensions" in settings else []
        if how == "umap":
            more += [f"{spell(settings.get('n_neighbors'))} neighbours", f"seed {call.get('seed')}"]
        account.decide("Rows", ", ".join([how, *more]), file, paper="rows", like_paper=how == "none")
        account.say(
            f"before clustering, the rows of the embedding were prepared ({', '.join([how, *more])})", file
        )


def _spell_settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{words[0].lower()}{words[1:]} {spell(settings[name])}"
        for name, (words, _, _) in _SETTINGS.items()
        if settings.get(name) is not None and name != "max_stall"
    )
