"""What each person labels on a server: the study's tasks, and one desk for a person at a task.

It knows no web and no browser: `annotate_app` passes on what browsers ask. Files of the study that are made
anew while the server runs are taken in; answers that another process writes are seen at once.
"""

import itertools
import os
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from visclust.annotation.answers import read_answers
from visclust.annotation.judgements import select_disagreements
from visclust.base.tables import read_table
from visclust.widgets.annotate_links import Person, fold_name
from visclust.widgets.labelling import describe_progress, list_upcoming
from visclust.widgets.logs import AnswerLog, record_or_explain
from visclust.widgets.tasks import Task, feature_task, pair_task, rating_task

KINDS = {
    "pairs": "Pairs of images",
    "disputed": "Pairs to decide",
    "features": "What images show",
    "ratings": "What images make you feel",
}
FOLDERS = {
    "pairs": "answers",
    "disputed": "answers",
    "features": "feature_answers",
    "ratings": "rating_answers",
}
SIDES = {"pairs": 384, "disputed": 384, "features": 640, "ratings": 640}  # pixels
ZOOM_SIDE = 1600

_TABLES = {
    "pairs": ("pairs", "images"),
    "disputed": ("pairs", "images"),
    "features": ("feature_images",),
    "ratings": ("assignment", "images"),
}
_ALSO = {"pairs": ("reviews",)}  # which a study need not have
_NOTEBOOKS = {
    "images": "01_build_corpus",
    "pairs": "05_label_pairs",
    "reviews": "05_label_pairs",
    "feature_images": "03_fine_tune",
    "assignment": "08_sample_and_survey",
}
_LEASE = 20.0  # seconds without a word, after which what a tab shows may be shown in another one
_MOST_TABS = 64
_PREFETCH = 4


class NotOfferedError(Exception):
    """A task that cannot be done now; its text says why, to whoever runs the study."""


class LabellingPlan(NamedTuple):
    """What a study lets its people label, and where its files are."""

    results: Path
    images_folder: Path
    question: str
    construct: str
    features: tuple[str, ...]
    items: Mapping[str, Sequence[str]]
    scale: tuple[int, int]
    annotators: tuple[str, ...] = ()
    adjudicator: str = ""
    kinds: tuple[str, ...] = tuple(KINDS)
    max_unsaved: int = 0


class StudyTasks:
    """The tasks of a study, made from its files, and made again when these change."""

    def __init__(self, plan: LabellingPlan) -> None:
        self.plan = plan
        self._turn = threading.RLock()
        self._tables: dict[str, tuple[tuple, pd.DataFrame | NotOfferedError]] = {}
        self._tasks: dict[tuple[str, str], tuple[tuple, Task]] = {}
        self._respondents: tuple[tuple[int, ...] | None, dict[str, str]] | None = None

    def list_kinds(self, person: Person) -> list[str]:
        """List the kinds of tasks that are for this person, as far as there are files for them."""
        plan = self.plan
        rates = person.key in self._find_respondents()
        named = person.key in set(map(fold_name, plan.annotators))
        labels = person.role == "annotator" or named or (person.role == "open" and not rates)
        decides = bool(plan.adjudicator) and person.key == fold_name(plan.adjudicator)
        wanted = {
            "pairs": labels and not decides,
            "disputed": decides,
            "features": (labels or decides) and bool(plan.features),
            "ratings": rates,
        }
        return [
            kind
            for kind in plan.kinds
            if wanted[kind] and all(self._stamp(name) is not None for name in _TABLES[kind])
        ]

    def list_respondents(self) -> list[str]:
        """List the respondents of the study's assignment, as it spells them."""
        return list(self._find_respondents().values())

    def spell_name(self, person: Person, kind: str) -> str:
        """Give the name under which a person's answers are kept: a respondent's as the assignment has it."""
        return self._find_respondents().get(person.key, person.name) if kind == "ratings" else person.name

    def _find_respondents(self) -> dict[str, str]:
        """Find the respondents by what tells persons apart."""
        if "ratings" not in self.plan.kinds:
            return {}
        with self._turn:
            stamp = self._stamp("assignment")
            if self._respondents is None or self._respondents[0] != stamp:
                try:
                    names = self._read("assignment")["respondent"].drop_duplicates()
                except NotOfferedError:
                    names = pd.Series(dtype="str")
                self._respondents = (stamp, {fold_name(name): name for name in names})
            return self._respondents[1]

    def get_task(self, kind: str, person: Person, *, afresh: bool = True) -> Task:
        """Make a person's task, or give the one made before from the same files.

        Without `afresh` the pairs to decide stay those that they were, for who is deciding about them.
        """
        if kind not in self.list_kinds(person):
            raise NotOfferedError(f"There is nothing of the kind {kind!r} for {person.name} to label.")
        with self._turn:
            whose = "" if kind in ("pairs", "features") else person.key
            stamp = tuple(self._stamp(name) for name in (*_TABLES[kind], *_ALSO.get(kind, ())))
            if kind == "disputed":
                known = self._tasks.get((kind, whose))
                stamp = (*stamp, self._stamp_answers() if afresh or known is None else known[0][-1])
            made = self._tasks.get((kind, whose))
            if made is None or made[0] != stamp:
                try:
                    made = (stamp, self._make(kind, person))
                except (ValueError, OSError) as problem:
                    raise NotOfferedError(str(problem)) from problem
                self._tasks[kind, whose] = made
            return made[1]

    def _make(self, kind: str, person: Person) -> Task:
        plan = self.plan
        place: dict[str, Any] = {"images_folder": plan.images_folder}
        if kind == "features":
            return feature_task(self._read("feature_images"), plan.features, **place)
        images = self._read("images")
        if kind == "ratings":
            assignment = self._read("assignment")
            options: dict[str, Any] = {"items": plan.items, "scale": plan.scale, **place}
            name = self.spell_name(person, kind)
            return rating_task(assignment, images, respondent=name, **options)
        pairs = self._read("pairs")
        if kind == "disputed":
            pairs = self._select_disputed(pairs, person)
        else:
            pairs = self._add_reviews(pairs)
        return pair_task(pairs, images, question=plan.question, construct=plan.construct, **place)

    def _add_reviews(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Add the pairs to look at again, after the others and like them, as far as they are of these."""
        try:
            reviews = self._read("reviews")
        except NotOfferedError:
            return pairs
        shown = ["pair_id", "image_a", "image_b"]
        of_these = reviews[reviews["judged_pair"].isin(pairs["pair_id"])]
        return pd.concat([pairs[shown], of_these[shown]], ignore_index=True)

    def _select_disputed(self, pairs: pd.DataFrame, person: Person) -> pd.DataFrame:
        """Select the pairs on which the others disagree, and those that this person has decided already."""
        folder = self.plan.results / FOLDERS["disputed"]
        if not any(folder.glob("*.jsonl")):
            raise NotOfferedError("Nobody has answered yet, so that there is nothing to decide.")
        answers = read_answers(folder, simulated=False)
        own = answers["annotator"].map(fold_name).eq(person.key)
        disputed = select_disagreements(answers[~own], pairs)["pair_id"]
        chosen = pairs[pairs["pair_id"].isin({*disputed, *answers.loc[own, "item_id"]})]
        if chosen.empty:
            raise NotOfferedError("The annotators disagree on no pair so far, so that nothing is to decide.")
        return chosen.reset_index(drop=True)

    def _read(self, name: str) -> pd.DataFrame:
        """Read a table of the study, or give the one read before where its file is the same."""
        with self._turn:
            stamp = self._stamp(name)
            if stamp is None:
                raise NotOfferedError(
                    f"Expected {self.plan.results / f'{name}.parquet'}: run the notebook {_NOTEBOOKS[name]}."
                )
            known = self._tables.get(name)
            if known is None or known[0] != stamp:
                path = self.plan.results / f"{name}.parquet"
                kind = "images" if name == "feature_images" else name
                found: pd.DataFrame | NotOfferedError
                try:
                    found = read_table(path, kind)
                except (ValueError, OSError) as problem:
                    found = NotOfferedError(str(problem))
                known = self._tables[name] = (stamp, found)
            if isinstance(known[1], NotOfferedError):
                raise known[1]
            return known[1]

    def _stamp(self, name: str) -> tuple[int, ...] | None:
        """Give what changes when a table's file is replaced, None where there is none."""
        try:
            found = (self.plan.results / f"{name}.parquet").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _stamp_answers(self) -> tuple:
        """Give what changes when somebody answers."""
        folder = self.plan.results / FOLDERS["disputed"]
        with warnings.catch_warnings():
            return tuple(sorted((path.name, path.stat().st_size) for path in folder.glob("*.jsonl")))


class Desk:
    """One person at one task, in as many tabs and on as many devices as they like.

    No two tabs are given the same item at a time: each holds what it shows, until it answers, leaves, or
    nothing is heard of it for `_LEASE` seconds.
    """

    def __init__(
        self,
        task: Task,
        *,
        annotator: str,
        save_to: Path,
        max_unsaved: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.task = task
        self.settings = task.describe_view(
            annotator=annotator, save_to=save_to, prefetch=_PREFETCH, max_unsaved=max_unsaved
        ) | {"autofocus": True, "downloads": []}
        self._turn = threading.Lock()
        self._clock = clock
        self._name, self._numbers = secrets.token_hex(4), itertools.count()
        self._held: dict[str, tuple[tuple[str, ...], float]] = {}
        self._log = AnswerLog(
            task.items,
            annotator=annotator,
            save_to=save_to,
            accepts=task.accepts,
            describe_item=task.describe_item,
            widget_version=self.settings["widget_version"],
        )

    @property
    def answer_file(self) -> Path:
        """The person's file."""
        return self._log.path

    def count(self) -> dict[str, Any]:
        """Count what is done and left, with what other processes wrote."""
        with self._turn:
            self._log.catch_up()
            return describe_progress(self._log.state)

    def tell(self, tab: str, *, shown: Sequence[str] = ()) -> dict[str, Any]:
        """Tell a tab what it draws; `shown` is what it shows, for a server that was started again."""
        with self._turn:
            error = ""
            try:
                self._log.catch_up()
            except (OSError, ValueError) as problem:
                error = f"The answers cannot be read: {getattr(problem, 'strerror', '') or problem}"
            if shown and tab not in self._held:
                self._hold(tab, [item for item in shown if item in self.task.items])
            return self._describe(tab, error=error)

    def record(self, tab: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Record what a tab says, and tell it what it draws now; what is acknowledged is on disk."""
        with self._turn:
            acknowledged, error = record_or_explain(self._log, event)
            if acknowledged and not error and event.get("retracts"):
                self._hold(tab, [str(event.get("item_id"))])  # it comes back where it was taken back
            return self._describe(tab, acknowledged=acknowledged, error=error)

    def leave(self, tab: str) -> None:
        """Let go of what a tab held."""
        with self._turn:
            self._held.pop(tab, None)

    def _hold(self, tab: str, items: Sequence[str]) -> None:
        """Hold items for a tab."""
        self._held.pop(tab, None)
        while len(self._held) >= _MOST_TABS:
            self._held.pop(min(self._held, key=lambda one: self._held[one][1]))
        self._held[tab] = (tuple(items), self._clock())

    def _describe(self, tab: str, *, acknowledged: Sequence[str] = (), error: str = "") -> dict[str, Any]:
        """Say what a tab draws: first what it holds already, then what no other tab holds."""
        now = self._clock()
        self._held = {one: (items, at) for one, (items, at) in self._held.items() if now - at < _LEASE}
        state, max_unsaved = self._log.state, self.settings["max_unsaved"]
        waiting = list_upcoming(state, len(state.items))
        own = [item for item in self._held.get(tab, ((), 0.0))[0] if item in set(waiting)]
        others = {item for one, (items, _) in self._held.items() if one != tab for item in items}
        free = [item for item in waiting if item not in others and item not in own]
        upcoming = ([item for item in own if item not in others] + free)[: _PREFETCH + max_unsaved + 1]
        self._hold(tab, upcoming[: 1 + max_unsaved])
        undoable = state.undoable
        return {
            "kind": "state",
            "desk": self._name,
            "number": next(self._numbers),  # replies may overtake each other on their way
            "acknowledged": list(acknowledged),
            "error": error,
            "message": self._log.message,
            "upcoming": upcoming,
            "images": {item: list(self.task.items[item]) for item in upcoming},
            "elsewhere": bool(waiting) and not upcoming,
            "undoable": undoable and {"event_id": undoable.event_id, "item_id": undoable.item_id},
            "progress": describe_progress(state),
        }


class Desks:
    """The desks of all people, each made when it is first needed."""

    def __init__(self, plan: LabellingPlan) -> None:
        self.tasks = StudyTasks(plan)
        self._turn = threading.Lock()
        self._desks: dict[tuple[str, str], Desk] = {}

    def open(self, person: Person, kind: str, *, afresh: bool = False) -> Desk:
        """Give the desk of a person at a task; a task that has changed gets a new one."""
        task = self.tasks.get_task(kind, person, afresh=afresh)
        place = (person.key, kind)
        with self._turn:
            desk = self._desks.get(place)
        if desk is None or desk.task is not task:
            try:
                desk = Desk(
                    task,
                    annotator=self.tasks.spell_name(person, kind),
                    save_to=self.tasks.plan.results / FOLDERS[kind],
                    max_unsaved=self.tasks.plan.max_unsaved,
                )
            except OSError as problem:
                raise NotOfferedError(
                    f"The file of {person.name}'s answers cannot be opened: {problem}"
                ) from problem
            except ValueError as problem:
                raise NotOfferedError(str(problem)) from problem
            with self._turn:
                known = self._desks.get(place)
                if known is not None and known.task is task:
                    return known  # two tabs opened it at the same moment
                self._desks[place] = desk
        return desk


def check_writable(folder: Path) -> None:
    """Make a folder of answers, and try whether it can be written to; an error says what is wrong."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as problem:
        raise ValueError(
            f"Expected to write answers into {folder}, but the system says: {problem.strerror}. Make room, "
            "or give yourself the right to write there, before people begin."
        ) from problem
