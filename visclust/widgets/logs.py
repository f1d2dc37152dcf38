"""One annotator's labelling joined to their file: an answer changes the state only once it is on disk."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from visclust.annotation.answer_files import (
    append_answer,
    check_row,
    clean_name,
    name_answer_file,
    read_rows,
    repair_answers,
)
from visclust.exploration.notes import ClusterNote, check_note, fold_notes
from visclust.widgets.labelling import Event, Labelling, answer, resume, start, undo

_NOTE_LENGTH = 2000


class RefusedAnswerError(ValueError):
    """What a browser sent is not an answer that this widget can give."""


class AnswerLog:
    """The state of one annotator's labelling, kept equal to what their file holds."""

    def __init__(
        self,
        items: Iterable[str],
        *,
        annotator: str,
        save_to: str | os.PathLike,
        accepts: Callable[[str], bool],
        describe_item: Callable[[str], Mapping[str, str]],
        widget_version: str,
        revisit_skipped: bool = False,
    ) -> None:
        self.annotator = clean_name(annotator)
        self.path: Path = name_answer_file(save_to, self.annotator).absolute()
        self.state: Labelling = start(items, revisit_skipped=revisit_skipped)
        self._size: int
        self._offset: int
        self._known: set[str]
        self._accepts = accepts
        self._describe_item = describe_item
        self._widget_version = widget_version
        self._forget()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.message = repair_answers(self.path)
        self.catch_up()

    def catch_up(self) -> None:
        """Take in what another kernel, or an import, has written to the file since the last look."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size == self._size:
            return
        if size < self._size:  # the file was moved away or put back from a copy: it says what stands
            self._forget()
        rows = read_rows(self.path, start=self._offset) if size else []
        rows = [row for row in rows if row["event_id"] not in self._known]
        events = [_make_event(row) for row in rows if row["annotator"] == self.annotator]
        self._refuse_other_questions(events)
        self._size = size
        self._offset = size if _ends_line(self.path, size) else self._offset
        self._known.update(row["event_id"] for row in rows)
        if any(event.item_id in self.state.places for event in events):
            self.state = resume(self.state, events)

    def _refuse_other_questions(self, events: Iterable[Event]) -> None:
        """Refuse a file in which these items have answers to another question: they would count as done."""
        for event in events:
            if event.item_id in self.state.places and event.answer and not self._accepts(event.answer):
                raise ValueError(
                    f"Expected answers of this widget in {self.path.name}, got {event.answer!r} for item "
                    f"{event.item_id!r}: another question, or another list of features or items, was asked "
                    "there. Give save_to a folder of its own for each question."
                )

    def _forget(self) -> None:
        """Go back to where nothing of the file has been read."""
        self.state = start(self.state.items, revisit_skipped=self.state.revisit_skipped)
        self._size = self._offset = 0  # bytes read, and of them those up to the last whole line
        self._known = set()

    def record(self, sent: Mapping[str, Any]) -> None:
        """Append what a browser sent, an answer or an undo, and then change the state.

        An event that is on file already is not written again. An answer to an item of another list, one that
        the browser kept from an earlier version of this study, is kept too. `RefusedAnswerError` says that
        it is no answer; OSError, and ValueError for a file that somebody edited, that it may be sent again.
        """
        event, row = self._check(sent)
        self.catch_up()
        if event.event_id in self._known:
            return
        append_answer(self.path, row)
        self._known.add(event.event_id)
        if event.item_id in self.state.places:
            self.state = answer(self.state, event) if event.retracts is None else undo(self.state, event)
        self.catch_up()  # this row is known; another kernel may have written one just before it

    def _check(self, sent: Mapping[str, Any]) -> tuple[Event, dict[str, Any]]:
        """Check what the browser sent, and complete it to a row; it is outside, whoever sits before it."""
        retracts = sent.get("retracts")
        said = sent.get("answer") if retracts is None else None
        if retracts is None and not (isinstance(said, str) and self._accepts(said)):
            raise RefusedAnswerError(f"Expected one of this widget's answers, got {said!r}.")
        row = {
            **{name: sent.get(name) for name in Event.__dataclass_fields__},
            **self._describe_item(str(sent.get("item_id"))),
            "answer": said,
            "note": str(sent["note"])[:_NOTE_LENGTH] if sent.get("note") else None,
            "annotator": self.annotator,
            "widget_version": self._widget_version,
        }
        try:
            row = check_row(row, "what the browser sent")
        except ValueError as error:
            raise RefusedAnswerError(str(error)) from error
        return _make_event(row), row


_SENT = ("event_id", "item_id", "answered_at", "retracts", "note")
_TEXT_LENGTH = 2000


class NoteLog:
    """What a researcher said of the clusters, kept equal to what their file holds."""

    def __init__(
        self,
        keys: Mapping[int, str],
        *,
        researcher: str,
        save_to: str | os.PathLike,
        widget_version: str,
    ) -> None:
        self.researcher = clean_name(researcher)
        self.path: Path = name_answer_file(save_to, self.researcher).absolute()
        self._keys = keys
        self._prefixes = {f"cluster:{key}" for key in keys.values()}
        self._widget_version = widget_version
        self._size = self._offset = 0  # bytes read, and of them those up to the last whole line
        self._known: set[str] = set()
        self._standing: list[dict[str, Any]] = []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.message = repair_answers(self.path)
        self.catch_up()

    @property
    def notes(self) -> dict[int, ClusterNote]:
        """What stands, by cluster."""
        return fold_notes(self._standing, self._keys)

    @property
    def undoable(self) -> dict[str, Any] | None:
        """The latest row on these clusters that an undo would take back."""
        mine = (row for row in reversed(self._standing) if self._is_here(row["item_id"]))
        return next(mine, None)

    def catch_up(self) -> bool:
        """Take in what was written to the file since the last look, and tell whether there was anything."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size == self._size:
            return False
        if size < self._size:  # the file was moved away or put back from a copy: it says what stands
            self._offset, self._known, self._standing = 0, set(), []
        rows = read_rows(self.path, start=self._offset) if size else []
        self._size = size
        self._offset = size if _ends_line(self.path, size) else self._offset
        for row in rows:
            if row["event_id"] in self._known:
                continue
            self._known.add(row["event_id"])
            if row["retracts"] is not None:
                self._standing = [one for one in self._standing if one["event_id"] != row["retracts"]]
            elif row["annotator"] == self.researcher and check_note(row["item_id"], row["answer"]):
                self._standing.append(row)
        return True

    def record(self, sent: Mapping[str, Any]) -> None:
        """Append what a browser sent, a note or an undo, and then change what stands.

        A note on a cluster of another clustering, one that the browser kept from an earlier visit, is kept
        too. `RefusedAnswerError` says that it is no note; OSError, and ValueError for a file that somebody
        edited, that it may be sent again.
        """
        retracts = sent.get("retracts")
        if retracts is None and not check_note(sent.get("item_id"), sent.get("answer")):
            raise RefusedAnswerError(f"Expected a note on a cluster, got {sent.get('answer')!r}.")
        row = {name: sent.get(name) for name in _SENT} | {
            "answer": None if retracts is not None else sent.get("answer"),
            "annotator": self.researcher,
            "widget_version": self._widget_version,
        }
        row["note"] = str(row["note"])[:_TEXT_LENGTH] if row["note"] else None
        try:
            row = check_row(row, "what the browser sent")
        except ValueError as error:
            raise RefusedAnswerError(str(error)) from error
        self.catch_up()
        if row["event_id"] not in self._known:
            append_answer(self.path, row)
            self.catch_up()

    def _is_here(self, item_id: str) -> bool:
        """Tell whether an item belongs to a cluster of this clustering."""
        return ":".join(item_id.split(":", 2)[:2]) in self._prefixes


def _ends_line(path: Path, size: int) -> bool:
    """Tell whether the first `size` bytes of a file end with a newline."""
    if not size:
        return True
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) == b"\n"


def _make_event(row: Mapping[str, Any]) -> Event:
    """Take the fields of an event from a row of the file."""
    return Event(**{name: row[name] for name in Event.__dataclass_fields__})
