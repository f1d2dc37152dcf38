"""Let the people of a study label in their browsers: one small web server, a secret link for each of them."""

import contextlib
import errno
import ipaddress
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from visclust.study import Study
from visclust.widgets.annotate_desks import (
    FOLDERS,
    KINDS,
    Desks,
    LabellingPlan,
    NotOfferedError,
    check_writable,
)
from visclust.widgets.annotate_links import LinkBook, Person, fold_name

_MOST_CONNECTIONS = 800  # a room of fifty has three hundred; systems often allow a process 1,024 open files
_HEADER_SECONDS = 20


class ServerOptions(NamedTuple):
    """How the server is reached, whom it serves, and what it offers them."""

    address: str = "127.0.0.1"
    port: int = 8866
    certfile: Path | None = None
    keyfile: Path | None = None
    public_url: str = ""
    may_type_names: bool = False
    add: tuple[str, ...] = ()
    renew: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    show_links: bool = False
    respondents: bool = False
    kinds: tuple[str, ...] = tuple(KINDS)
    max_unsaved: int = 0


def annotate_study(study: Study, options: ServerOptions) -> int:
    """Serve a study's tasks to its people until it is stopped; what is not possible is said before.

    Returns 0 after Ctrl-C, 2 where the port is taken after people were added, so that their links were said.
    """
    base = _check_base(options)
    _check_certificate(options)
    plan = plan_labelling(study, options)
    desks = Desks(plan)
    for folder in sorted({FOLDERS[kind] for kind in plan.kinds}):
        check_writable(study.results / folder)
    links = LinkBook(study.folder)
    new = _name_people(study, options, links, desks)
    _check_tasks(desks, links, may_type_names=options.may_type_names)
    listener = _listen(options, base, new)
    _tell(study, options, links, desks, new, base or _guess_base(options, listener))
    return _serve(options, links, desks, listener, study)


def plan_labelling(study: Study, options: ServerOptions) -> LabellingPlan:
    """Take from a study what its people are asked."""
    return LabellingPlan(
        results=study.results,
        images_folder=study.folder,
        question=study.question,
        construct=study.construct,
        features=study.features,
        items=study.items,
        scale=study.scale,
        annotators=(*study.annotators, *options.add),
        adjudicator=study.adjudicator,
        kinds=options.kinds,
        max_unsaved=options.max_unsaved,
    )


def _name_people(study: Study, options: ServerOptions, links: LinkBook, desks: Desks) -> list[Person]:
    """Make the links that are missing; give the people who are new, or have a new link."""
    wanted = [(name, "annotator") for name in study.annotators]
    if study.adjudicator:
        wanted.append((study.adjudicator, "adjudicator"))
    if options.respondents:
        respondents = desks.tasks.list_respondents()
        if not respondents:
            raise FileNotFoundError(
                f"Expected respondents in {study.results / 'assignment.parquet'}: run notebook 08 first."
            )
        wanted += [(name, "respondent") for name in respondents]
    else:  # those who have a link keep it
        rating = set(map(fold_name, desks.tasks.list_respondents()))
        wanted += [
            (one.name, one.role) for one in links.people if one.role == "respondent" and one.key in rating
        ]
    for name in options.remove:
        links.remove(name)
    before = {one.key: one.token for one in links.people}
    links.name_people(wanted)
    for name in options.add:
        links.add(name)
    for name in options.renew:
        links.renew(name)
    return [one for one in links.people if before.get(one.key) != one.token]


def _check_tasks(desks: Desks, links: LinkBook, *, may_type_names: bool) -> None:
    """Refuse to start where nobody could label anything, and say what cannot be labelled just now."""
    people = [one for one in links.people if may_type_names or one.role != "open"]
    if not people and not may_type_names:
        raise ValueError(
            'Expected to know who labels: name them in study.toml (annotators = ["ana", "ben"]), or add them '
            "with --add ana ben; each gets a secret link. With --open people type a name instead."
        )
    plan, found = desks.tasks.plan, False
    problems: dict[str, str] = {}
    guest = Person("guest", "annotator", "", named=False, made_at="")
    for person in [*people, *([guest] if may_type_names else [])]:
        for kind in desks.tasks.list_kinds(person):
            try:
                desks.tasks.get_task(kind, person)
                found = True
            except NotOfferedError as problem:
                found |= kind == "disputed"  # there may be some later
                problems.setdefault(kind, str(problem))
        if len(problems) == len(plan.kinds):
            break
    for kind, words in problems.items():
        print(f"{KINDS[kind]} cannot be labelled now: {words}")
    if not found and not problems:
        raise FileNotFoundError(
            f"Expected something to label in {plan.results}, found nothing for these people. For pairs "
            "(pairs.parquet) run the notebooks 01, 02 and 05 first, which draw them; for features "
            "(feature_images.parquet) name them in study.toml and run 03; for ratings (assignment.parquet) "
            "run 08, and start with --respondents."
        )
    if not found:
        raise ValueError(
            "Expected something that can be labelled. See above, and run the notebooks named there."
        )


def _check_base(options: ServerOptions) -> str:
    """Check the public address under which others reach the server, where one is given."""
    if not options.public_url:
        return ""
    parts = urlsplit(options.public_url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ValueError(
            f"Expected --public-url as the address of a server, such as https://labels.example.org, got "
            f"{options.public_url!r}. Folders below it are not possible."
        )
    return f"{parts.scheme}://{parts.netloc}"


def _check_certificate(options: ServerOptions) -> None:
    """Try the certificate before anything else starts."""
    if options.keyfile and not options.certfile:
        raise ValueError("Expected --certfile with --keyfile: the certificate that the key belongs to.")
    for name, path in (("certfile", options.certfile), ("keyfile", options.keyfile)):
        if path and not path.is_file():
            raise FileNotFoundError(f"Expected a PEM file at {path} (--{name}), found none.")
    if options.certfile:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                options.certfile, options.keyfile
            )
        except (ssl.SSLError, OSError) as problem:
            raise ValueError(
                f"Expected a certificate and its key as PEM in {options.certfile} and "
                f"{options.keyfile or 'the same file'}, but they cannot be used: {problem}."
            ) from None


def _listen(options: ServerOptions, base: str, new: Sequence[Person]) -> socket.socket:
    """Take the port, or say why it cannot be had."""
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    try:
        made = socket.create_server((options.address, options.port), family=family, backlog=512)
        # Said to be TCP, or asyncio would leave small packets waiting for each other, 40 ms a reply.
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, made.detach())
    except (OSError, OverflowError) as problem:
        number = getattr(problem, "errno", None)
        if number == errno.EADDRINUSE:
            words = (
                f"Port {options.port} is taken by another program. Choose another one (--port "
                f"{options.port + 1}), or end the other program."
            )
            if options.add or options.renew or options.remove:
                words += " If it is the server of this study, it has taken your change in already."
                _print_links(new, base or _guess_base(options, None))
        elif number == errno.EACCES:
            words = f"Port {options.port} is the system's, as all below 1024 are. Try --port 8866."
        elif isinstance(problem, OverflowError):
            words = f"Expected a port from 1 to 65535, got {options.port}."
        else:
            words = (
                f"The address {options.address} cannot be had ({problem}): it must be one of this machine's. "
                "127.0.0.1 is this machine alone, 0.0.0.0 all its addresses."
            )
        raise ValueError(words) from None


def _guess_base(options: ServerOptions, listener: socket.socket | None) -> str:
    """Guess the address by which people reach the server."""
    host = options.address
    if host in ("0.0.0.0", "::"):
        host = _find_own_address() or socket.gethostname()
    if ":" in host:
        host = f"[{host}]"
    port = listener.getsockname()[1] if listener else options.port
    return f"{'https' if options.certfile else 'http'}://{host}:{port}"


def _find_own_address() -> str:
    """Find this machine's address in its network, without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # reserved for documentation
            return probe.getsockname()[0]
        except OSError:
            return ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _print_links(people: Sequence[Person], base: str) -> None:
    for one in people:
        print(f"  {one.name}: {base}/{one.token}")


def _tell(
    study: Study, options: ServerOptions, links: LinkBook, desks: Desks, new: list[Person], base: str
) -> None:
    """Say who labels by which link, where the answers go, and what an open address means."""
    print(f"Labelling for {study.name!r}: {base}")
    mine = [one for one in links.people if one.role != "open" or options.may_type_names]
    shown = mine if options.show_links else [one for one in mine if one in new]
    if shown:
        print("The link of each person is a secret, and fixes who they are; send each their own:")
        _print_links(shown, base)
    held = [one.name for one in mine if one not in shown]
    if held:
        some = ", ".join(held[:8]) + (f" and {len(held) - 8} more" if held[8:] else "")
        print(f"Links given out before still hold: {some}. See them again with --links.")
    if options.may_type_names:
        print(f"Open: whoever opens {base} types a name, and can type another's.")
    if not links.is_private:
        print(f"Others can read {links.path}, and with it the links: this drive keeps no rights.")
    print("Links are kept in " + str(links.path) + "; give that file to nobody.")
    folders = sorted({FOLDERS[kind] for kind in desks.tasks.plan.kinds})
    print(f"Answers go to {study.results}: {', '.join(folders)}.")
    if not _is_loopback(options.address) and not options.certfile:
        print(
            f"Without a certificate (--certfile, --keyfile): whoever is in the network of {options.address} "
            "can reach this server, and whoever listens there can read links, images and answers, and answer "
            "under another's name. Use it in a network whose people you trust, never on the open internet."
        )
    elif _is_loopback(options.address) and not options.public_url:
        print("Only browsers on this machine reach it; --address 0.0.0.0 lets others of your network in.")
    print("Stop it with Ctrl+C.", flush=True)


def _serve(
    options: ServerOptions, links: LinkBook, desks: Desks, listener: socket.socket, study: Study
) -> int:
    """Run the server until it is stopped."""
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from visclust.widgets.annotate_app import make_app

    class ImpatientProtocol(H11Protocol):
        """Close connections that take longer than `_HEADER_SECONDS` for the head of a request."""

        def connection_made(self, transport) -> None:  # type: ignore[no-untyped-def]
            super().connection_made(transport)
            self._waited = False
            self.loop.call_later(_HEADER_SECONDS, self._look)

        def _look(self) -> None:
            if self.transport.is_closing():
                return
            waits = str(self.conn.their_state) == "IDLE"
            if waits and self._waited:
                self.transport.close()
                return
            self._waited = waits
            self.loop.call_later(_HEADER_SECONDS, self._look)

        def on_response_complete(self) -> None:
            self._waited = False
            super().on_response_complete()

    def say(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    config = uvicorn.Config(
        make_app(links, desks, may_type_names=options.may_type_names, say=say),
        http=ImpatientProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,  # addresses are secrets: none is logged
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        ssl_certfile=options.certfile,
        ssl_keyfile=options.keyfile,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
    print(f"\nStopped. What was confirmed to anybody is on disk in {study.results}.", flush=True)
    return 0
