"""A study is a folder: ``study.toml`` says what is studied; its notebooks and its results lie beside it."""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visclust.annotation.constructs import EMOTIONS, check_names
from visclust.annotation.ratings import check_scale
from visclust.base.checks import checked
from visclust.base.places import STUDY_FILE, find_study_folder

# Names the study to open, so that a notebook need not lie in its folder.
VARIABLE = "VISCLUST_STUDY"

_PLACES = ("images", "posts", "media_folder", "accounts", "ideology", "ratings")
_QUESTION = "Do these two images belong together?"
_NEAR_COPIES = {
    "follow": "follow the picture that stands for them",
    "apart": "count as images of their own",
}
_CONSTRUCT = "The two images show the same kind of thing."


@dataclass(frozen=True, repr=False)
class Study:
    """A study: where its files are, and what its researchers decided once for all notebooks.

    Attributes
    ----------
    folder, results : pathlib.Path
        The study's folder, and the folder of what is made in it.
    name : str
    is_example, simulate : bool
        Whether it is the example study, and whether people's answers may be simulated where there are none.
    images : pathlib.Path
        The folder of images.
    posts, media_folder, accounts, ideology, ratings : pathlib.Path or None
        Files of yours, and the folder where the posts' relative file names start.
    posts_columns, posts_options : dict
        For `read_posts`: its ``columns``, and its other arguments.
    construct, question : str
        What annotators are asked about pairs of images.
    features, frames, annotators : tuple of str
    adjudicator : str
        Who decides, in `visclust annotate`, about pairs on which the annotators disagree; empty for nobody.
    encoder : str
    near_copies : {"follow", "apart"}
        Whether near copies follow the picture that stands for them, or count as images of their own.
    items : dict
        The items to rate, by dimension; ``scale`` is the lowest and highest rating.
    group_column : str
        The column that says to which group a respondent belongs; ``groups`` gives a colour for each.
    """

    folder: Path
    results: Path
    name: str
    images: Path
    is_example: bool = False
    simulate: bool = False
    posts: Path | None = None
    posts_columns: Mapping[str, str] = field(default_factory=dict)
    posts_options: Mapping[str, Any] = field(default_factory=dict)
    media_folder: Path | None = None
    accounts: Path | None = None
    ideology: Path | None = None
    construct: str = _CONSTRUCT
    question: str = _QUESTION
    features: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    adjudicator: str = ""
    encoder: str = "resnet18"
    near_copies: str = "follow"
    items: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(EMOTIONS))
    scale: tuple[int, int] = (1, 10)
    group_column: str = "group"
    groups: Mapping[str, str] = field(default_factory=dict)
    ratings: Path | None = None

    @property
    def file(self) -> Path:
        """The study's file; the example may have none."""
        return self.folder / STUDY_FILE

    @property
    def notebooks(self) -> Path:
        """The folder of the study's notebooks."""
        return self.folder / "notebooks"

    def __repr__(self) -> str:
        what = "The example study" if self.is_example else f"The study {self.name!r}"
        lines = [f"{what} in {self.folder}", f"  {'results':<13} {self.results}"]
        lines += [f"  {name:<13} {self._describe_place(getattr(self, name))}" for name in _PLACES]
        lists = ("features", "frames", "annotators", "groups")
        lines += [f"  {name:<13} {', '.join(getattr(self, name)) or 'none named'}" for name in lists]
        if self.adjudicator:
            lines.append(f"  {'adjudicator':<13} {self.adjudicator}")
        lines.append(f"  {'encoder':<13} {self.encoder}")
        lines.append(f"  {'near copies':<13} {_NEAR_COPIES[self.near_copies]}")
        if self.simulate:
            lines.append("  Where people's answers are missing they are simulated, and marked so.")
        return "\n".join(lines)

    def _describe_place(self, path: Path | None) -> str:
        if path is None:
            return "made up for the example" if self.is_example else "none named"
        return str(path) if path.exists() else f"{path} (not there)"


@checked
def open_study(folder: str | os.PathLike | None = None) -> Study:
    r"""Open a study: read its ``study.toml``, check every entry, and find every file that it names.

    Parameters
    ----------
    folder : str or path, optional
        The study's folder, or its ``study.toml``. By default the one that the environment variable
        VISCLUST_STUDY names, else the one that the working directory lies in, else the example study, whose
        results are where `results_folder` says.

    Returns
    -------
    Study
        Its paths are absolute, whatever the working directory. The folder of results is made where it is
        missing.

    Raises
    ------
    FileNotFoundError
        If there is no study, or a file or folder that its ``study.toml`` names is not there.
    ValueError
        If an entry is unknown, of the wrong type, or not possible.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "photos").mkdir()
    >>> _ = (folder / "study.toml").write_text('name = "march"\nimages = "photos"\nfeatures = ["flags"]\n')
    >>> study = open_study(folder)
    >>> study.name, study.images.name, study.features, study.posts
    ('march', 'photos', ('flags',), None)
    """
    study = read_study(folder)
    for name in _PLACES:
        path = getattr(study, name)
        wants_folder = name in ("images", "media_folder")
        if path is not None and not (path.is_dir() if wants_folder else path.exists()):
            kind = "a folder" if wants_folder else "a file"
            raise FileNotFoundError(
                f"Expected {kind} at {path}, which the entry {name} of {study.file} names, found none. "
                f"Put it there, or correct the entry: paths are absolute, or start at {study.folder}."
            )
    study.results.mkdir(parents=True, exist_ok=True)
    return study


def read_study(folder: str | os.PathLike | None = None) -> Study:
    """Read and check a study's file, without asking whether the files that it names are there."""
    place = Path(folder or os.environ.get(VARIABLE, "") or find_study_folder(Path.cwd()) or "")
    if place == Path():
        return _make_example()
    place = place.expanduser().absolute()
    file = place if place.suffix == ".toml" else place / STUDY_FILE
    if not file.is_file():
        given = "" if folder else f" (named by the environment variable {VARIABLE})"
        raise FileNotFoundError(
            f"Expected a study at {place}{given}, but there is no {file.name} in it. Make one: "
            f"visclust start {place.name or 'my_study'} --images FOLDER."
        )
    return _build(file.resolve(), _parse(file))


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except PermissionError as error:
        raise PermissionError(
            f"Expected to read {file}, but this user may not. Change its rights."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"Expected {file} to be TOML, but it cannot be read: {error}. Text stands in quotes; write paths "
            "of Windows with / or in single quotes ('C:\\photos')."
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"Expected {file} in UTF-8. Save it again so in your editor.") from None


def _make_example() -> Study:
    from visclust.launch import results_folder

    results = results_folder()
    return _build_example(results.parent, results, {})


def _build_example(folder: Path, results: Path, entries: dict[str, Any]) -> Study:
    from visclust.example import IMAGE_FOLDER, STUDY

    known = {"name": "example", "simulate": True, **STUDY, **entries}
    return Study(folder=folder, results=results, images=IMAGE_FOLDER, is_example=True, **known)


def _build(file: Path, given: dict[str, Any]) -> Study:
    """Make a study from the entries of its file, each checked."""
    for name in given:
        if name not in _ENTRIES:
            near = difflib.get_close_matches(name, _ENTRIES, n=1)
            advice = f"Did you mean {near[0]}? " if near else ""
            raise ValueError(
                f"{file} has the entry {name}, which no study has. {advice}The entries there are: "
                f"{', '.join(_ENTRIES)}."
            )
    entries: dict[str, Any] = {}
    for name, value in given.items():
        expected, check = _ENTRIES[name]
        try:
            entries[name] = check(name, value, file.parent)
        except (TypeError, ValueError) as error:
            detail = f" {error}" if str(error) else ""
            raise ValueError(
                f"Expected {expected} in the entry {name} of {file}, got {value!r}.{detail}"
            ) from None
    folder = file.parent
    if entries.get("adjudicator", "").casefold() in map(str.casefold, entries.get("annotators", ())):
        raise ValueError(
            f"Expected in the entry adjudicator of {file} somebody who is no annotator, got "
            f"{entries['adjudicator']!r}: who judged all pairs cannot decide between the others unseen."
        )
    entries.setdefault("name", folder.name)
    if entries.pop("example", False):
        if "images" in entries or "posts" in entries:
            raise ValueError(
                f"{file} has example = true, so its images and posts are the example's. Remove the entries "
                "images and posts, or example."
            )
        named = os.environ.get("VISCLUST_RESULTS", "")
        results = Path(named).expanduser().resolve() if named else folder / "results"
        return _build_example(folder, results, entries)
    if "images" not in entries:
        raise ValueError(
            f'Expected the entry images in {file}, the folder of your images: images = "FOLDER".'
        )
    return Study(folder=folder, results=folder / "results", **entries)


def _text(_name: str, value: Any, _folder: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError
    return value


def _copies(_name: str, value: Any, _folder: Path) -> str:
    if value not in _NEAR_COPIES:
        raise ValueError
    return value


def _truth(_name: str, value: Any, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _path(name: str, value: Any, folder: Path) -> Path:
    # Joined to the study's folder: an absolute path stays as it is.
    return Path(os.path.normpath(folder / Path(_text(name, value, folder)).expanduser()))


def _names(name: str, value: Any, _folder: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return check_names(value, name.removesuffix("s"))


def _texts(_name: str, value: Any, _folder: Path) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) and each for each in value.values()):
        raise TypeError
    return dict(value)


def _colours(name: str, value: Any, folder: Path) -> Mapping[str, str]:
    if isinstance(value, list):  # names without colours of their own
        return dict.fromkeys(_names(name, value, folder), "")
    return _texts(name, value, folder)


def _columns(name: str, value: Any, folder: Path) -> Mapping[str, str]:
    return _texts(name, value, folder)


def _options(_name: str, value: Any, _folder: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    unknown = sorted(value.keys() - {"format", "time_format"})
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no option there: format and time_format are.")
    return _texts(_name, value, _folder)


def _items(_name: str, value: Any, _folder: Path) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not value or not all(isinstance(each, list) for each in value.values()):
        raise TypeError
    check_names([item for each in value.values() for item in each], "item")
    return {dimension: tuple(each) for dimension, each in value.items()}


def _scale(_name: str, value: Any, _folder: Path) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or not all(type(each) is int for each in value):
        raise TypeError
    low, high = value
    check_scale((low, high))
    return low, high


# What an entry holds, in words, and what checks it: given its name, its value and the study's folder.
_ENTRIES: dict[str, tuple[str, Callable[[str, Any, Path], Any]]] = {
    "name": ("a text", _text),
    "example": ("true or false", _truth),
    "simulate": ("true or false", _truth),
    "images": ("the folder of your images, as text", _path),
    "posts": ("a file or folder of posts, as text", _path),
    "posts_columns": ('your names of columns, such as {post_id = "tweet_id"},', _columns),
    "posts_options": ('options of read_posts, such as {time_format = "%d.%m.%Y"},', _options),
    "media_folder": ("a folder, as text", _path),
    "accounts": ("a file, as text", _path),
    "ideology": ("a file, as text", _path),
    "construct": ("a text", _text),
    "question": ("a text", _text),
    "features": ('a list of names, such as ["flags", "crowd"],', _names),
    "frames": ('a list of names, such as ["protest", "family"],', _names),
    "annotators": ('a list of names, such as ["ana", "ben"],', _names),
    "adjudicator": ("a name that is no annotator's", _text),
    "near_copies": ('"follow" or "apart"', _copies),
    "encoder": ("the name of an encoder", _text),
    "items": ('lists of items by dimension, such as {anger = ["angry", "bitter"]},', _items),
    "scale": ("the lowest and the highest rating, such as [1, 10],", _scale),
    "group_column": ("the name of a column", _text),
    "groups": ('a colour for each group, such as {women = "#7b3294"}, or a list of groups,', _colours),
    "ratings": ("a file, as text", _path),
}
