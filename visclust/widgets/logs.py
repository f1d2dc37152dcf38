"""Answers and notes joined to their files: what a person says counts once it is on disk, and is never lost.

`TailedFile` is the one protocol by which they are written and read on; `AnswerLog` is the state of a
labelling and `NoteLog` what stands of the clusters, each kept equal to what the person's file holds.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from visclust.annotation.answer_files import (
    append_answer,
    check_row,
    count_on,
    place_event,
    read_rows,
    repair_answers,
    unite_answer_files,
)
from visclust.annotation.identity import clean_name, is_same_person
from visclust.exploration.notes import ClusterNote, check_note, fold_notes
from visclust.widgets.labelling import Event, Labelling, answer, resume, start, undo

_NOTE_LENGTH = 2000
_SENT = ("event_id", "item_id", "answer", "answered_at", "retracts")


class RefusedAnswerError(ValueError):
    """What a browser sent is not an answer that this widget can give."""


class TailedFile:
    """One person's file of rows, which grows: own rows are appended, and what others append is read on.

    Others are a second kernel of the same person and an import. Each row counts once, by its event id,
    however often it was sent or stands in the file. A torn last line, the remains of a write that was cut off
    before it was acknowledged, is closed off when the file is opened, which `message` then says. One that is
    torn only because another process is just writing it is skipped and read again with the next look.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.message = repair_answers(self.path)
        self._number: int | None = None  # of the file on its disk (its inode): another one took its place
        self._size = self._offset = 0  # bytes read, and of them those up to the last whole line
        self._known: set[str] = set()
        self._latest = 0.0  # place of the last event, in the order of counters

    def read_on(self, take: Callable[..., None]) -> bool:
        """Hand the rows that came since the last look to `take`, and tell whether the file had changed.

        `take` gets a list of rows and, as `afresh`, whether all that it took before is void: a file that is
        shorter than before, or another one, was moved away or put back from a copy, and says what stands.
        If `take` raises, or a row cannot be read, none counts as read, and the next look brings them again.
        """
        number, size = self._find_end()
        if (number, size) == (self._number, self._size):
            return False
        afresh = bool(self._size) and (size < self._size or number != self._number)
        start, known = (0, set[str]()) if afresh else (self._offset, self._known)
        rows = read_rows(self.path, start=start) if size else []
        new: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row["event_id"] not in known:
                new.setdefault(row["event_id"], row)
        ends_line = self._ends_line(size)
        take(list(new.values()), afresh=afresh)
        self._number, self._size = number, size
        # What came after the size was taken is read again with the next look, and known by then.
        self._offset = size if ends_line else start
        known.update(new)
        self._known = known
        self._latest = max([0.0 if afresh else self._latest, *(place_event(row)[0] for row in new.values())])
        return True

    def append(self, row: Mapping[str, Any]) -> bool:
        """Append a row unless it is known to be on file, and tell whether it was; it is on disk on return.

        The next `read_on` brings it, in its place among what others wrote meanwhile.
        """
        if row["event_id"] in self._known:
            return False
        append_answer(self.path, row)
        return True

    def count_on(self) -> int:
        """Give the counter of the next event: more than that of each on file, and than an earlier clock's."""
        return count_on(self._latest)

    def _find_end(self) -> tuple[int | None, int]:
        """Give the file's number on its disk and its size in bytes, None and 0 where there is no file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None, 0
        return found.st_ino, found.st_size

    def _ends_line(self, size: int) -> bool:
        """Tell whether the first `size` bytes of the file end with a newline."""
        if not size:
            return True
        with self.path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) == b"\n"


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
        self.state: Labelling = start(items, revisit_skipped=revisit_skipped)
        self._accepts = accepts
        self._describe_item = describe_item
        self._widget_version = widget_version
        path, united = unite_answer_files(save_to, self.annotator)
        self._file = TailedFile(path)
        self.path, self.message = self._file.path, " ".join(filter(None, [united, self._file.message]))
        self.catch_up()

    def catch_up(self) -> None:
        """Take in what another kernel, or an import, has written to the file since the last look."""
        self._file.read_on(self._take)

    def record(self, sent: Mapping[str, Any]) -> None:
        """Append what a browser sent, an answer or an undo, and then change the state.

        An event that is on file already is not written again. An answer to an item of another list, one that
        the browser kept from an earlier version of this study, is kept too. `RefusedAnswerError` says that
        it is no answer; OSError, and ValueError for a file that somebody edited, that it may be sent again.
        """
        row = self._check(sent)
        self.catch_up()
        row["annotator"] = self.annotator
        row["counter"] = self._file.count_on()
        if not self._file.append(row):
            return
        event = _make_event(row)
        if event.item_id in self.state.places:
            self.state = answer(self.state, event) if event.retracts is None else undo(self.state, event)
        self.catch_up()  # another kernel may have written a row just before it

    def _take(self, rows: Iterable[Mapping[str, Any]], *, afresh: bool) -> None:
        """Take in rows of the file: the annotator's own, as far as the state has not seen them yet."""
        own = [row for row in rows if is_same_person(row["annotator"], self.annotator)]
        events = [_make_event(row) for row in own]
        self._refuse_other_questions(events)
        if own and not self.state.seen:
            self.annotator = own[0]["annotator"]  # the name goes on as it was first written
        if afresh:
            self.state = start(self.state.items, revisit_skipped=self.state.revisit_skipped)
        # Without news the item shown stays the one shown, as it must after an undo.
        if any(one.item_id in self.state.places and one.event_id not in self.state.seen for one in events):
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

    def _check(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Check what the browser sent, and complete it to a row; it is outside, whoever sits before it."""
        said = sent.get("answer")
        if sent.get("retracts") is None and not (isinstance(said, str) and self._accepts(said)):
            raise RefusedAnswerError(f"Expected one of this widget's answers, got {said!r}.")
        return _complete_row(
            sent,
            **self._describe_item(str(sent.get("item_id"))),
            seconds=sent.get("seconds"),
            annotator=self.annotator,
            widget_version=self._widget_version,
        )


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
        self._keys = keys
        self._prefixes = {f"cluster:{key}" for key in keys.values()}
        self._widget_version = widget_version
        self._standing: list[Mapping[str, Any]] = []
        self._undone: set[str] = set()  # what is taken back may come after its undo
        path, united = unite_answer_files(save_to, self.researcher)
        self._file = TailedFile(path)
        self.path, self.message = self._file.path, " ".join(filter(None, [united, self._file.message]))
        self.catch_up()

    @property
    def notes(self) -> dict[int, ClusterNote]:
        """What stands, by cluster."""
        return fold_notes(self._standing, self._keys)

    @property
    def undoable(self) -> Mapping[str, Any] | None:
        """The latest row on these clusters that an undo would take back."""
        mine = (row for row in reversed(self._standing) if self._is_here(row["item_id"]))
        return next(mine, None)

    def catch_up(self) -> bool:
        """Take in what was written to the file since the last look, and tell whether there was anything."""
        return self._file.read_on(self._take)

    def record(self, sent: Mapping[str, Any]) -> None:
        """Append what a browser sent, a note or an undo, and then change what stands.

        A note on a cluster of another clustering, one that the browser kept from an earlier visit, is kept
        too. `RefusedAnswerError` says that it is no note; OSError, and ValueError for a file that somebody
        edited, that it may be sent again.
        """
        said = sent.get("answer")
        if sent.get("retracts") is None and not check_note(sent.get("item_id"), said):
            raise RefusedAnswerError(f"Expected a note on a cluster, got {said!r}.")
        row = _complete_row(sent, annotator=self.researcher, widget_version=self._widget_version)
        self.catch_up()
        row["counter"] = self._file.count_on()
        if self._file.append(row):
            self.catch_up()

    def _take(self, rows: Iterable[Mapping[str, Any]], *, afresh: bool) -> None:
        """Take in rows of the file: notes of this researcher, and undos."""
        standing = [] if afresh else list(self._standing)
        own = [row for row in rows if is_same_person(row["annotator"], self.researcher)]
        undone = {row["retracts"] for row in own} | (set() if afresh else self._undone)
        notes = [row for row in own if row["retracts"] is None and check_note(row["item_id"], row["answer"])]
        standing = [row for row in [*standing, *notes] if row["event_id"] not in undone]
        self._standing, self._undone = sorted(standing, key=place_event), undone

    def _is_here(self, item_id: str) -> bool:
        """Tell whether an item belongs to a cluster of this clustering."""
        return ":".join(item_id.split(":", 2)[:2]) in self._prefixes


def record_or_explain(log: AnswerLog | NoteLog, sent: Mapping[str, Any]) -> tuple[list[str], str]:
    """Record what a browser sent; give the event ids to acknowledge and what went wrong, in words.

    The browser keeps what is not acknowledged and sends it again. What is refused is acknowledged, since
    sending it again would not help. The words go to whoever sits before the browser, so they hold no path.
    """
    acknowledged = [str(sent.get("event_id"))]
    try:
        log.record(sent)
    except OSError as problem:
        return [], (
            f"Not saved: {problem.strerror or type(problem).__name__}. What you said is kept in this browser "
            "and tried again every few seconds; make room on the disk, or ask whoever runs it."
        )
    except RefusedAnswerError as problem:
        return acknowledged, f"Refused: {problem}"
    except ValueError as problem:  # the file was edited while it is in use
        return [], f"Not saved, but kept in this browser: {problem}"
    return acknowledged, ""


def _complete_row(sent: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Complete what a browser sent to a row of the file; a row that is none is refused."""
    row = {name: sent.get(name) for name in _SENT}
    row["note"] = str(sent["note"])[:_NOTE_LENGTH] if sent.get("note") else None
    try:
        return check_row(row | more, "what the browser sent")
    except ValueError as error:
        raise RefusedAnswerError(str(error)) from error


def _make_event(row: Mapping[str, Any]) -> Event:
    """Take the fields of an event from a row of the file."""
    return Event(**{name: row[name] for name in Event.__dataclass_fields__})
