"""What a methods text is put together from: counts, decisions, sentences, each with the file it is from."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from visclust.methods_files import StudyFile, StudyFiles, spell

NOT_YET = "not done yet"
NOT_RECORDED = "not in any record"
OPEN = "not known here"

# What Casas, Webb Williams, Aslett and Wilkerson did, as far as the documentation of this package tells. What
# it does not tell is `OPEN`: look it up in the paper.
PAPER: dict[str, str] = {
    "posts": "174,172 tweets",
    "images": "88,075 images, 18,096 of them unique",
    "near copies": "18,096 unique images",
    "encoder": "ResNet-18 trained on ImageNet: 512 values of its global average pool",
    "weights": "ImageNet's",
    "fine-tuned encoders": "two, by learning rates of 0.01 and 0.005, all layers, 50 epochs",
    "labelled features": "twelve",
    "embedding": "pretrained and two fine-tuned ones were tried",
    "method": "iterative (Figure 3)",
    "rows": "raw",
    "step": "3 and 5 were tried",
    "threshold": "0 to 0.05 by 0.01 were tried",
    "sample_size": "1,000",
    "convergence_window": "3",
    "stop_size": "20",
    "goodness_of_fit": "silhouette",
    "pairs": "554",
    "draft": "within and between the clusters of a single k-means, K = 80, on the pretrained embedding",
    "annotators of pairs": "2",
    "agreement": "87% of 554 pairs, Cohen's kappa .64",
    "measure": "the mean of precision and recall",
    "baseline": "single k-means on the same embedding",
    "cross-validation": "five folds",
    "design": "stratified by cluster",
    "max_per_cluster": "five images of a cluster, all but one of smaller ones (N = 6 is undefined)",
    "sampled": "1,087 images of 309 clusters",
    "respondents": "720, 360 of each party",
    "per_respondent": "8",
    "ratings of an image": "2.65 by each party (2,880 / 1,087)",
    "items": "ten emotions in three dimensions",
    "scale": "1 to 10",
    "weighting": "clusters: each theme counts alike",
}


@dataclass
class Account:
    """The account of a study, step by step: rows of counts and decisions, and sentences by step."""

    files: StudyFiles
    counts: list[dict[str, str]] = field(default_factory=list)
    decisions: list[dict[str, str]] = field(default_factory=list)
    agreement: list[dict[str, Any]] = field(default_factory=list)
    sentences: dict[str, list[str]] = field(default_factory=dict)
    simulated: list[str] = field(default_factory=list)
    step: str = ""

    def begin(self, step: str) -> None:
        """Begin a step, to which all belongs that is said next."""
        self.step = step
        self.sentences.setdefault(step, [])

    def open(self, name: str) -> StudyFile | None:
        """Give a file that numbers may be taken from; of another it is said why they are not."""
        file = self.files.get(name)
        if file.usable:
            return file
        self.counts.append(self._row(what=f"(all of {name})", count="", file=name, note=file.trouble))
        self.sentences[self.step].append(f"{name}: {file.trouble.rstrip('.')}.")
        return None

    def count(self, what: str, count: Any, file: StudyFile | str, *, simulated: bool = False) -> None:
        """Keep a number with the file that it was counted in."""
        name, note = self._name(file, simulated=simulated)
        self.counts.append(self._row(what=what, count=spell(count), file=name, note=note))

    def decide(
        self,
        decision: str,
        ours: Any,
        file: StudyFile | str,
        *,
        paper: str | None = "",
        like_paper: bool | None = None,
    ) -> None:
        """Keep a decision: ours, from whose record, and the paper's under the key `paper`.

        With None it is a decision that the paper did not have to take.
        """
        name, note = self._name(file, simulated=False)
        said = "" if like_paper is None else "as in the paper" if like_paper else "differs"
        theirs = "" if paper is None else PAPER.get(paper, OPEN)
        row = self._row(decision=decision, paper=theirs, ours=spell(ours), like_paper=said)
        self.decisions.append(row | {"file": name, "note": note})

    def skip(self, name: str, **decisions: str) -> None:
        """Say of the decisions of a file from which nothing can be taken that they are not there."""
        file = self.files.get(name)
        said = NOT_YET if file.status == "missing" else "not taken from a file that is out of date"
        for decision, paper in decisions.items():
            self.decide(decision.replace("_", " "), said, name, paper=paper)

    def say(self, sentence: str, *files: StudyFile | str) -> None:
        """Keep a sentence for the text, with the files that its numbers are from."""
        names = [file if isinstance(file, str) else file.name for file in files]
        source = f" [{', '.join(dict.fromkeys(names))}]" if names else ""
        first = sentence.split(" ", 1)[0].rstrip(".:,")
        is_file = any(sign in first for sign in "._/")  # names of files are written as they are
        start = sentence[:1] if is_file else sentence[:1].upper()
        self.sentences[self.step].append(f"{start}{sentence[1:].rstrip('.')}{source}.")

    def mark(self, what: str) -> None:
        """Note what is simulated, to be said at the head of everything."""
        if what not in self.simulated:
            self.simulated.append(what)

    def _name(self, file: StudyFile | str, *, simulated: bool) -> tuple[str, str]:
        if isinstance(file, str):
            return file, "SIMULATED" if simulated else ""
        notes = ["SIMULATED"] if simulated else []
        return file.name, "; ".join([*notes, *([file.trouble] if file.trouble else [])])

    def _row(self, **cells: str) -> dict[str, str]:
        return {"step": self.step, **cells}

    def table(self, name: str) -> pd.DataFrame:
        """Give the counts or the decisions as a table."""
        columns = {
            "counts": ["step", "what", "count", "file", "note"],
            "decisions": ["step", "decision", "paper", "ours", "like_paper", "file", "note"],
        }[name]
        return pd.DataFrame(getattr(self, name), columns=columns).fillna("").astype("str")


def say_many(n: int, one: str, many: str = "") -> str:
    """Count in words: 1 cluster, 1,087 images."""
    return f"{spell(n)} {one if n == 1 else many or f'{one}s'}"
