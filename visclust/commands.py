"""The command ``visclust``: start a study, run its notebooks, open them, label, look at its state.

``visclust --help`` lists the commands; ``python -m visclust`` is the same.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from visclust.base.files import write_text
from visclust.base.places import STUDY_FILE
from visclust.base.provenance import digest_file
from visclust.base.withdrawals import WITHDRAWN_FILE
from visclust.scale_commands import add_scale_command
from visclust.study import VARIABLE, Study, open_study, read_study
from visclust.study_notebooks import find_shipped_notebooks, upgrade_notebooks, write_notebooks

_KINDS = ("pairs", "disputed", "features", "ratings")  # as in annotate_desks.py, which is not loaded for this
_LAB = "Expected the package {}, which this needs: pip install 'visclust[lab]'."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, 1 where something failed, 2 where what was asked for is not possible."""
    options = _make_parser().parse_args(arguments)
    try:
        return options.do(options)
    except BrokenPipeError:  # whoever reads, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (FileNotFoundError, FileExistsError, NotADirectoryError, ValueError, ImportError) as error:
        print(f"visclust {options.command}: {error}", file=sys.stderr)
        return 2


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="visclust",
        description="Explore, cluster, sample and annotate a corpus of images: a study is a folder.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, do: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        command.set_defaults(do=do)
        if name == "start":
            command.add_argument("study", help="the folder to make")
        else:
            command.add_argument("study", nargs="?", help="the study's folder; by default the one you are in")
        return command

    start = add("start", _start, "make the folder of a study, with its notebooks and study.toml")
    start.add_argument("--images", metavar="FOLDER", help="your images; without it: the example")
    start.add_argument("--posts", metavar="FILE", help="posts that show them: a file or a folder")

    run = add("run", _run, "run the notebooks of a study, without a browser, into its results")
    run.add_argument("--only", nargs="+", default=[], metavar="NUMBER", help="some of them: --only 01 04")
    run.add_argument("--timeout", type=float, default=6 * 3600, help="seconds allowed for one cell")

    add("lab", _lab, "open JupyterLab at the first notebook of a study")

    _add_annotate_options(add("annotate", _annotate, "let people label in their browsers, without code"))

    add("check", _check, "say what is in a study, and how and when each file was made")
    methods = add(
        "methods", _methods, "write the methods part of a paper from the records of a study's files"
    )
    methods.add_argument("--to", metavar="FILE", help="where to, instead of methods.md in the results")
    sheet = add("preregister", _preregister, "write a preregistration sheet, before the ratings are in")
    sheet.add_argument(
        "--hypothesis", action="append", default=[], metavar="TEXT", help="one; as often as needed"
    )
    sheet.add_argument(
        "--exclude", action="append", default=[], metavar="TEXT", help="a rule; as often as needed"
    )
    sheet.add_argument("--weighting", default="clusters", help="of the primary specification (clusters)")
    sheet.add_argument("--margin", type=float, metavar="POINTS", help="within it groups are called alike")
    sheet.add_argument(
        "--although-rated", action="store_true", help="write it, and say that ratings are there"
    )
    sheet.add_argument("--to", metavar="FILE", help="where to, instead of preregistration.md in the results")
    take = add("withdraw", _withdraw, "take an image, or an author with their posts, out of a study")
    what = take.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", nargs="+", metavar="ID", help="ids of images, or their files")
    what.add_argument("--author", metavar="NAME", help="their posts, and the images that only these show")
    take.add_argument("--dry-run", action="store_true", help="say where it is, and change nothing")

    add("upgrade", _upgrade, "bring the notebooks of a study to the installed version, your changes kept")
    add_scale_command(commands)
    return parser


def start_study(
    folder: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    posts: str | os.PathLike | None = None,
) -> Study:
    """Make the folder of a study: ``study.toml``, the numbered notebooks, and a place for results.

    Without `images` it is a study of the example corpus. The folder must be new, empty, or hold nothing but
    these images and posts. Paths inside the study are kept relative to it, others absolute.
    """
    folder = Path(folder).expanduser().absolute()
    given = {"images": _find(images, "images"), "posts": _find(posts, "posts")}
    if given["posts"] and not given["images"]:
        raise ValueError("Expected the images that the posts show too: --images FOLDER --posts FILE.")
    if given["images"] and not given["images"].is_dir():
        raise NotADirectoryError(f"Expected a folder of images, but {given['images']} is a file.")
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(
            f"Expected the name of a new folder, but {folder} is a file. Choose another name."
        )
    others = [
        each
        for each in folder.glob("*")
        if not each.name.startswith(".") and not _holds(each, given.values())
    ]
    if others:
        raise FileExistsError(
            f"Expected a new or an empty folder, but {folder} holds {others[0].name}"
            f"{f' and {len(others) - 1} more' if others[1:] else ''}. Choose another name."
        )
    entries = {name: _spell_path(path, folder) for name, path in given.items() if path}
    write_notebooks(folder)
    write_text(folder / STUDY_FILE, fill_template(folder.name, entries))  # last: now it is a study
    return open_study(folder)


def fill_template(name: str, entries: dict[str, str]) -> str:
    """Write the text of ``study.toml``: every entry explained, those that are not given commented out."""
    text = Path(__file__).with_name("study_template.toml").read_text(encoding="utf-8")
    quoted = {each: json.dumps(value, ensure_ascii=False) for each, value in entries.items()}
    images = (
        f"images = {quoted['images']}"
        if "images" in quoted
        else (
            '# Here: the example corpus. Take "example" away, and name a folder of your own.\n'
            'example = true\n# images = "photos"'
        )
    )
    posts = f"posts = {quoted['posts']}" if "posts" in quoted else '# posts = "posts.csv"'
    return (
        text.replace("@images@", images)
        .replace("@posts@", posts)
        .replace("@name@", json.dumps(name, ensure_ascii=False))
    )


def _find(path: str | os.PathLike | None, what: str) -> Path | None:
    if path is None:
        return None
    found = Path(path).expanduser().resolve()
    if not found.exists():
        raise FileNotFoundError(f"Expected your {what} at {found}, but there is nothing. Check the path.")
    return found


def _holds(place: Path, wanted: Iterable[Path | None]) -> bool:
    """Tell whether something in a folder is one of the paths given, or what they lie in."""
    return any(path is not None and path.is_relative_to(place.resolve()) for path in wanted)


def _spell_path(path: Path, folder: Path) -> str:
    inside = path.is_relative_to(folder.resolve())
    return (path.relative_to(folder.resolve()) if inside else path).as_posix()


def _start(options: argparse.Namespace) -> int:
    study = start_study(options.study, images=options.images, posts=options.posts)
    print(f"Started the study {study.name!r} in {study.folder}.")
    print(f"Its images: {'those of the example' if study.is_example else study.images}.")
    print(f"Say in {study.file} what it is about; only the images are needed.")
    print("Next, one of:")
    print(f"  visclust lab {_quote(options.study)}    opens JupyterLab at the first notebook")
    print(f"  visclust run {_quote(options.study)}    runs all notebooks, and gathers their pictures")
    return 0


def _run(options: argparse.Namespace) -> int:
    study = _open(options)
    _need("nbclient", "nbformat")
    from visclust.notebook_run import list_notebooks, run_notebooks, write_index

    runs = run_notebooks(
        study.notebooks,
        to=study.results,
        only=options.only,
        study=_name_study(study),
        timeout=options.timeout,
    )
    executed = [study.results / "notebooks" / path.name for path in list_notebooks(study.notebooks)]
    page = write_index([path for path in executed if path.exists()], to=study.results)
    print()
    failed = runs[runs["status"] == "failed"]
    for row in failed.itertuples():
        print(f"{row.notebook} failed, and the notebooks after it were not run.\n\n{row.error}\n")
    print(f"Pictures:           {page}")
    print(f"Executed notebooks: {study.results / 'notebooks'}")
    print(f"Open JupyterLab:    visclust lab {_quote(options.study or '')}".rstrip())
    return int(len(failed) > 0)


def _lab(options: argparse.Namespace) -> int:
    study = _open(options)
    _need("jupyterlab")
    from visclust.notebook_run import list_notebooks

    command = [sys.executable, "-m", "jupyterlab", str(list_notebooks(study.notebooks)[0])]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    environment = {**os.environ}
    if _name_study(study):
        environment[VARIABLE] = str(study.folder)
    print(f"Opening {study.notebooks}. Stop it with Ctrl+C.", flush=True)
    try:
        return subprocess.run(command, env=environment, cwd=study.folder, check=False).returncode
    except KeyboardInterrupt:
        return 0


def _add_annotate_options(annotate: argparse.ArgumentParser) -> None:
    """Add the options of ``visclust annotate``."""
    option = annotate.add_argument
    annotate.epilog = (
        "Each annotator of study.toml gets a secret link, the same every time. It serves the pairs of "
        "notebook 05, the features of 03 and the ratings of 08, whichever there are."
    )
    option("--address", default="127.0.0.1", help="0.0.0.0 lets other computers of your network in")
    option("--port", type=int, default=8866)
    option("--certfile", type=Path, metavar="PEM", help="a certificate: the server then speaks TLS (https)")
    option("--keyfile", type=Path, metavar="PEM", help="its key, where it is not in the same file")
    option(
        "--public-url", default="", metavar="URL", help="how people reach it, where that is not the address"
    )
    option("--add", nargs="+", default=[], metavar="NAME", help="give these people a link too")
    option("--renew", nargs="+", default=[], metavar="NAME", help="end their links and make others")
    option("--remove", nargs="+", default=[], metavar="NAME", help="end the links of people who were added")
    option("--links", action="store_true", help="print all links again")
    option("--respondents", action="store_true", help="a link for each respondent of the assignment")
    option("--open", action="store_true", help="no links: whoever comes types a name")
    option(
        "--only", nargs="+", default=[], choices=list(_KINDS), metavar="KIND", help=f"of {', '.join(_KINDS)}"
    )
    option("--max-unsaved", type=int, default=0, help="3 for annotators far away from the server")


def _annotate(options: argparse.Namespace) -> int:
    study = _open(options)
    from visclust.annotate import ServerOptions, annotate_study

    chosen = ServerOptions(
        address=options.address,
        port=options.port,
        certfile=options.certfile,
        keyfile=options.keyfile,
        public_url=options.public_url,
        may_type_names=options.open,
        add=tuple(options.add),
        renew=tuple(options.renew),
        remove=tuple(options.remove),
        show_links=options.links,
        respondents=options.respondents,
        kinds=tuple(options.only) or _KINDS,
        max_unsaved=options.max_unsaved,
    )
    return annotate_study(study, chosen)


def _check(options: argparse.Namespace) -> int:
    from visclust.check import check_study, tell_study

    study = read_study(options.study)
    print(study)
    study.results.mkdir(parents=True, exist_ok=True)
    state = check_study(study.results)
    print(f"\n{tell_study(state)}")
    missing = [path for path in (study.images, study.posts) if path is not None and not path.exists()]
    for path in missing:
        print(f"Not there: {path}. Put it back, or correct {study.file}.")
    return int(bool(missing) or bool(state["status"].eq("stale").any()))


def _methods(options: argparse.Namespace) -> int:
    from visclust.methods import write_methods

    report = write_methods(read_study(options.study), save_to=options.to)
    _tell_written(report.markdown, report.page)
    missing = report.files["status"].isin(["stale", "damaged"])
    for row in report.files[missing].itertuples():
        print(f"Not used: {row.file}, which is {row.status}.")
    open_decisions = int(report.decisions["ours"].eq("not done yet").sum())
    print(f"{len(report.decisions)} decisions are listed, {open_decisions} of them not done yet.")
    if report.counts["note"].str.contains("SIMULATED").any():
        print("It rests on SIMULATED answers or ratings, and says so.")
    return 0


def _preregister(options: argparse.Namespace) -> int:
    from visclust.preregistration import write_preregistration

    sheet = write_preregistration(
        read_study(options.study),
        hypotheses=options.hypothesis,
        exclusions=options.exclude,
        weighting=options.weighting,
        margin=options.margin,
        rated="say" if options.although_rated else "refuse",
        save_to=options.to,
    )
    _tell_written(sheet.markdown, sheet.page)
    print(f"When it was written: {sheet.ratings}.")
    if n_open := sheet.text.count("NOT STATED"):
        print(f"{n_open} of its entries are not stated yet: write them into a copy, or give them as options.")
    return 0


def _tell_written(*paths: Path) -> None:
    for path in paths:
        print(f"Written: {path}")


def _withdraw(options: argparse.Namespace) -> int:
    from visclust.withdraw import list_unreachable, withdraw

    study = read_study(options.study)
    given = options.image or []
    images = [digest_file(each)[:32] if Path(each).is_file() else each for each in given]
    done = withdraw(study, images=images, author=options.author or "", dry_run=options.dry_run)
    print("Nothing was changed. This would be done:" if options.dry_run else "Done:")
    for row in done.itertuples():
        print(f"  {row.file}: {row.done}")
    if not len(done):
        print("  (nothing in the results and notebooks)")
    print("Not reached:")
    for sentence in list_unreachable(study, done.attrs["paths"]):
        print(f"  {sentence}")
    if not options.dry_run:
        print(f"Kept out from now on by {study.folder / WITHDRAWN_FILE}, which holds digests and no names.")
    return 0


def _upgrade(options: argparse.Namespace) -> int:
    study = read_study(options.study)
    if not study.file.exists() or not study.notebooks.is_dir():
        raise FileNotFoundError(f"Expected a study with notebooks in {study.folder}. Name its folder.")
    if study.notebooks.resolve() == find_shipped_notebooks().resolve():
        print("These are the notebooks that come with visclust: they are of its version already.")
        return 0
    for row in upgrade_notebooks(study.folder).itertuples():
        print(f"{row.notebook}: {row.done}.")
    return 0


def _open(options: argparse.Namespace) -> Study:
    study = open_study(options.study)
    if not study.notebooks.is_dir():
        raise FileNotFoundError(
            f"Expected the notebooks of the study in {study.notebooks}, found none. Name the folder of a "
            "study, or start one: visclust start my_study --images FOLDER."
        )
    return study


def _name_study(study: Study) -> Path | None:
    return study.folder if study.file.exists() else None


def _need(*modules: str) -> None:
    for module in modules:
        if find_spec(module) is None:
            raise FileNotFoundError(_LAB.format(module))


def _quote(text: str) -> str:
    return f'"{text}"' if " " in text else text


if __name__ == "__main__":
    sys.exit(main())
