"""The secret link of each person who labels: kept in the study's folder, the same after a restart."""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from visclust.annotation.answer_files import clean_name
from visclust.base.cells import fold_identity
from visclust.base.files import write_atomically

LINKS_FILE = "annotator_links.json"

# How a person came by their link. "open" is a name that somebody typed where the study lets them.
ROLES = ("annotator", "adjudicator", "respondent", "open")

_BYTES = 24  # of chance in a link: 192 bits, which nobody guesses
_LONGEST_NAME = 100  # characters
MOST_OPEN = 500  # names that may be typed: a file for each, and no more


@dataclass(frozen=True)
class Person:
    """Someone who labels: by what name, in which role, and the secret part of their link.

    `named` says whether the study named them (in ``study.toml`` or its assignment), so that the link ends
    when it names them no more, or somebody added or typed the name.
    """

    name: str
    role: str
    token: str
    named: bool
    made_at: str

    @property
    def key(self) -> str:
        """What two spellings of one person's name have in common."""
        return fold_name(self.name)


def fold_name(name: str) -> str:
    """Bring a name to what tells persons apart: "Ana", "ana " and "ANA" are one."""
    return fold_identity(clean_name(name))


class LinkBook:
    """The links of a study: who has one, and to whom one that was shown belongs.

    The file can be read by its owner alone. What another process writes to it, such as a person added while
    the server runs, is taken in with the next look.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.path = Path(folder) / LINKS_FILE
        self.is_private = True
        self.trouble = ""  # with the file, in words for whoever runs the server
        self._people: dict[str, Person] = {}
        self._digests: list[tuple[bytes, Person]] = []
        self._state: tuple[int, ...] | None = None
        self._wanted: dict[str, str] | None = None
        self._turn = threading.RLock()
        self._look()

    @property
    def people(self) -> list[Person]:
        """Those whose links hold now."""
        self._look()
        return [one for one in self._people.values() if self._holds(one)]

    def name_people(self, wanted: Iterable[tuple[str, str]]) -> list[Person]:
        """Take (name, role) of all whom the study names, and make links for those who have none yet.

        Gives the new ones. Those whom the study named before and no more lose their links as long as it does
        not name them again.
        """
        roles: dict[str, str] = {}
        names: dict[str, str] = {}
        for name, role in wanted:
            key = fold_name(name)
            roles.setdefault(key, role)
            names.setdefault(key, clean_name(name))
        with self._turn:
            self._wanted = roles
            return self._make((names[key], roles[key], True) for key in roles)

    def add(self, name: str, *, role: str = "annotator") -> Person:
        """Give a person of this name a link; the one that there is, where there is one."""
        with self._turn:
            self._look()
            known = self._people.get(fold_name(_check_name(name)))
            if known is not None and (not known.named or self._holds(known)):
                return known
            (made,) = self._make([(clean_name(name), role, False)], afresh=True)
            return made

    def open(self, name: str) -> Person | None:
        """Give the person who typed this name their link, or None where it is someone's own or too many are.

        Whoever has a link that was given to them need not type a name, and nobody else can take it.
        """
        with self._turn:
            self._look()
            known = self._people.get(fold_name(_check_name(name)))
            if known is not None:
                return known if known.role == "open" else None
            if sum(one.role == "open" for one in self._people.values()) >= MOST_OPEN:
                return None
            (made,) = self._make([(clean_name(name), "open", False)])
            return made

    def renew(self, name: str) -> Person:
        """Make another link for a person, whose old one ends."""
        with self._turn:
            self._look()
            known = self._people.get(fold_name(name))
            if known is None:
                names = ", ".join(one.name for one in self.people) or "nobody"
                raise ValueError(f"Expected someone who has a link ({names}), got {name!r}.")
            new = replace(known, token=secrets.token_hex(_BYTES), made_at=_now())
            self._write({**self._people, new.key: new})
            return new

    def remove(self, name: str) -> None:
        """End the link of a person who was added; their answers stay."""
        with self._turn:
            self._look()
            known = self._people.get(fold_name(name))
            if known is None or (known.named and self._holds(known)):
                where = "study.toml or the assignment names them" if known else "nobody of this name has one"
                raise ValueError(f"Expected someone who was added as the name, got {name!r}: {where}.")
            self._write({key: one for key, one in self._people.items() if key != known.key})

    def find(self, token: str) -> Person | None:
        """Find whose link this is, or None; how long it takes says nothing about what would have fitted."""
        self._look()
        digest = _digest(token)
        found = None
        for known, person in self._digests:  # all of them, whichever fits
            if hmac.compare_digest(known, digest):
                found = person
        return found if found is not None and self._holds(found) else None

    def _holds(self, person: Person) -> bool:
        """Tell whether a link holds: those whom the study named hold as long as it does."""
        return not person.named or self._wanted is None or person.key in self._wanted

    def _make(self, wanted: Iterable[tuple[str, str, bool]], *, afresh: bool = False) -> list[Person]:
        """Make links for those who have none, and write them; a role that changed is changed."""
        self._look()
        people, new, changed = dict(self._people), [], False
        for name, role, named in wanted:
            key = fold_name(_check_name(name))
            known = people.get(key)
            if known is None or afresh:
                token = secrets.token_hex(_BYTES)
                people[key] = Person(name=name, role=role, token=token, named=named, made_at=_now())
                new.append(people[key])
            elif named and known.role == "open":  # whoever typed the name shall not be who is named now
                token = secrets.token_hex(_BYTES)
                people[key] = Person(name=name, role=role, token=token, named=True, made_at=_now())
                new.append(people[key])
            elif named and (known.role, known.named) != (role, True):
                people[key] = replace(known, role=role, named=True)
                changed = True
        if new or changed:
            self._write(people)
        return new

    def _look(self) -> None:
        """Read the file again if it has changed; one that is damaged is an error, never made anew."""
        with self._turn:
            try:
                found = self.path.stat()
            except FileNotFoundError:
                self._take({}, None)
                return
            state = (found.st_mtime_ns, found.st_size, found.st_ino)
            if state == self._state:
                return
            try:
                rows = json.loads(self.path.read_text(encoding="utf-8"))["people"]
                people = [_read_person(row) for row in rows]
            except (ValueError, TypeError, KeyError) as error:
                if self._people:  # somebody edits it while people label: their links hold
                    self.trouble = f"{self.path} is damaged ({error}); the links of before still hold."
                    return
                raise ValueError(
                    f"Expected the links of the annotators in {self.path}, but it is damaged ({error}). Take "
                    "it from a copy; or move it away, and everybody gets a new link."
                ) from None
            self.trouble = ""
            self._take({one.key: one for one in people}, state)
            self._close_to_others(found.st_mode)

    def _take(self, people: dict[str, Person], state: tuple[int, ...] | None) -> None:
        self._people, self._state = people, state
        self._digests = [(_digest(one.token), one) for one in people.values()]

    def _close_to_others(self, mode: int) -> None:
        """Take the rights of others away, such as a copy or an unpacked archive gives them."""
        if os.name == "nt" or not mode & 0o077:
            return
        with contextlib.suppress(OSError):
            self.path.chmod(0o600)
        self.is_private = not self.path.stat().st_mode & 0o077

    def _write(self, people: dict[str, Person]) -> None:
        """Write the file in one step; nobody but its owner can read it, at no moment."""
        if self.trouble:
            raise ValueError(f"{self.trouble} Mend it, or take it from a copy, before links are changed.")
        text = json.dumps({"people": [asdict(one) for one in people.values()]}, indent=1)

        def write(file: Any) -> None:
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), 0o600)  # before anything is in it
            file.write(text.encode())

        write_atomically(self.path, write)
        self._state = None
        self._look()


def _check_name(name: str) -> str:
    """Refuse a name that is none."""
    cleaned = clean_name(name)
    if len(cleaned) > _LONGEST_NAME or not cleaned.isprintable():
        raise ValueError(f"Expected a name of at most {_LONGEST_NAME} printable characters, got {name!r}.")
    return cleaned


def _read_person(row: Any) -> Person:
    """Read one person of the file."""
    person = Person(**row)
    texts = (person.name, person.role, person.token, person.made_at)
    if not all(isinstance(each, str) for each in texts) or not isinstance(person.named, bool):
        raise ValueError(f"{row!r} is no person")
    if len(person.token) < 2 * _BYTES or person.role not in ROLES:
        raise ValueError(f"{person.name!r} has no link or role")
    return person


def _digest(token: str) -> bytes:
    """Digest a token: of equal length, whatever was sent."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
