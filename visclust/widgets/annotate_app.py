"""The web server's pages and answers to browsers: people label in one process, with no kernel and no code.

Whoever holds a secret link is the person that it belongs to. Pages are opened by it; what scripts ask for
then carries it in a header, which no other site can make a browser send.
"""

import asyncio
import hashlib
import io
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visclust.base.html import ServedPage, build_served_page
from visclust.images.reading import UnreadableImageError, read_image
from visclust.widgets.annotate_desks import KINDS, SIDES, ZOOM_SIDE, Desk, Desks, NotOfferedError
from visclust.widgets.annotate_links import LinkBook, Person
from visclust.widgets.assets import load_asset

TOKEN_HEADER = "x-visclust-link"

MOST_BYTES = 64 * 1024  # of what a browser sends at once; a rating of fifty items takes two thousand
_BODY_SECONDS = 15  # for it to arrive
_LONGEST_ID = 500  # characters
_IMAGE_BYTES = 64 * 2**20  # of encoded images that stay in memory
_SAID_AGAIN = 60  # seconds
_MOST_SAID = 50  # different words in that time
_AT_ONCE = 2  # images decoded at once: a photograph of 90 megapixels takes a quarter of a gigabyte

_PAGE_STYLE = """
body { margin: 0; background: #fff; color: #1b1b1b;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
main { max-width: 640px; margin: 8vh auto; padding: 0 20px; }
h1 { font-size: 24px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 2px; }
p { margin: 0 0 12px; overflow-wrap: anywhere; }
.quiet { color: #555; font-size: 14px; }
.task { border: 1px solid #bbb; border-radius: 6px; padding: 14px 16px; margin: 14px 0; }
.task progress { width: 100%; height: 12px; }
.go { display: inline-block; padding: 8px 18px; border: 1px solid #1f6fb5; border-radius: 5px;
  background: #1f6fb5; color: #fff; font: inherit; font-weight: 600; text-decoration: none; cursor: pointer; }
.go:focus-visible, input:focus-visible { outline: 3px solid #1b1b1b; outline-offset: 2px; }
.alarm { color: #b3261e; font-weight: 600; min-height: 1.5em; }
label { display: block; margin: 0 0 6px; font-weight: 600; }
input { font: inherit; padding: 8px 10px; border: 1px solid #777; border-radius: 5px; width: 60%;
  margin: 0 8px 12px 0; }
"""

_LABEL_STYLE = """
body { margin: 12px; background: #fff; }
.visclust-labeller { margin: 0 auto; }
.visclust-home { max-width: 1100px; margin: 0 auto 6px;
  font: 14px system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
.visclust-home a { color: #1f6fb5; }
"""

_CLOSED = """<main>
<h1>This link does not work</h1>
<p>Open the link that you were sent, the whole of it: mail programs sometimes cut off its end.</p>
<p>If that does not help, ask the person who sent it to you for a new one.</p>
</main>"""

_ASK_NAME = """<main>
<h1>Who are you?</h1>
<p>Type your name, the same every time: your answers are kept under it.</p>
<div id="visclust-root"></div>
</main>"""

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # the address is a secret
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-robots-tag": "noindex, nofollow",
}
_NO_PAGE_POLICY = "default-src 'none'; frame-ancestors 'none'"


def make_app(
    links: LinkBook, desks: Desks, *, may_type_names: bool = False, say: Callable[[str], None] = print
) -> ASGIApp:
    """Make the web application: `links` knows the people, `desks` what each of them labels.

    With `may_type_names` people without a link type a name on the first page. `say` gets what whoever runs
    the server should know, the same words once a minute at most.
    """
    server = _AnnotationServer(links, desks, may_type_names=may_type_names, say=say)
    app = Starlette(
        routes=[
            Route("/", server.show_first_page),
            Route("/robots.txt", _forbid_robots),
            Route("/api/name", server.take_name, methods=["POST"]),
            Route("/api/{kind}/state", server.tell_state),
            Route("/api/{kind}/events", server.take_event, methods=["POST"]),
            Route("/api/{kind}/leave", server.take_leave, methods=["POST"]),
            Route("/api/{kind}/image", server.give_image),
            Route("/{token}", server.show_tasks),
            Route("/{token}/", server.show_tasks),
            Route("/{token}/{kind}", server.show_labeller),
        ],
        exception_handlers={HTTPException: _explain, Exception: _explain_fault},
    )
    return SecureHeaders(app)


class _AnnotationServer:
    """What is done for each address."""

    def __init__(
        self, links: LinkBook, desks: Desks, *, may_type_names: bool, say: Callable[[str], None]
    ) -> None:
        self._links = links
        self._desks = desks
        self._may_type_names = may_type_names
        self._say = say
        self._said: dict[str, float] = {}
        self._images = _ImageStore()

    async def show_first_page(self, _request: Request) -> Response:
        """Ask for the name where names may be typed; without a link there is nothing else to see."""
        if not self._may_type_names:
            return _close()
        page = build_served_page(
            title="Your name", style=_PAGE_STYLE, body=_ASK_NAME, data={}, script=load_asset("name_page.js")
        )
        return _send_page(page)

    async def take_name(self, request: Request) -> Response:
        """Give whoever types a name the link of that name."""
        if not self._may_type_names:
            raise HTTPException(404)
        said = await _read_json(request)
        try:
            person = await to_thread.run_sync(self._links.open, said.get("name", ""))
        except ValueError:
            return _refuse(422, "Type a name of at most 100 letters.")
        except OSError as problem:
            self._tell_host(f"The links cannot be written: {problem}")
            return _refuse(503, "Your name could not be kept. Ask the person who runs this page.")
        if person is None:
            return _refuse(
                409, "This name cannot be taken here. Take another one, or open the link that you were sent."
            )
        return JSONResponse({"page": f"/{person.token}"})

    async def show_tasks(self, request: Request) -> Response:
        """Show a person's tasks and how far they are."""
        person = self._find_person(request.path_params["token"])
        return _close() if person is None else _send_page(await to_thread.run_sync(self._list_tasks, person))

    def _list_tasks(self, person: Person) -> ServedPage:
        parts, kinds = [], self._desks.tasks.list_kinds(person)
        for kind in kinds:
            desk = self._try_desk(person, kind)
            if isinstance(desk, Desk):
                parts.append(_draw_task(person, kind, desk))
            else:
                parts.append(f'<div class="task"><h2>{KINDS[kind]}</h2><p>{escape(desk)}</p></div>')
        if not parts:
            parts.append("<p>There is nothing for you to label at the moment. Come back later.</p>")
        body = (
            f"<main><h1>{escape(person.name)}</h1>"
            '<p class="quiet">Every answer is saved on the server as you give it: close the page whenever '
            "you like, and come back by the same link. The link is yours alone.</p>"
            f"{''.join(parts)}</main>"
        )
        return build_served_page(title=f"Labelling – {person.name}", style=_PAGE_STYLE, body=body)

    def _try_desk(self, person: Person, kind: str) -> Desk | str:
        """Open a desk, or give words for the person why not; whoever runs the server reads the reason."""
        try:
            desk = self._desks.open(person, kind, afresh=True)
            desk.count()
        except NotOfferedError as problem:
            self._tell_host(f"{person.name} cannot label {KINDS[kind].lower()}: {problem}")
        except (OSError, ValueError) as problem:
            self._tell_host(f"{person.name}'s answers to {KINDS[kind].lower()} cannot be read: {problem}")
        else:
            return desk
        if kind == "disputed":
            return "There is nothing to decide at the moment. Come back later."
        return "This cannot be labelled at the moment. Ask the person who sent you the link."

    async def show_labeller(self, request: Request) -> Response:
        """Show the page on which a person labels."""
        person = self._find_person(request.path_params["token"])
        kind = request.path_params["kind"]
        if person is None:
            return _close()
        if kind not in KINDS or not isinstance(await to_thread.run_sync(self._try_desk, person, kind), Desk):
            return _send_page(await to_thread.run_sync(self._list_tasks, person))
        return _send_page(await to_thread.run_sync(self._build_labeller, person, kind))

    def _build_labeller(self, person: Person, kind: str) -> ServedPage:
        desk = self._desks.open(person, kind)
        return build_served_page(
            title=f"{KINDS[kind]} – {person.name}",
            style=load_asset("labelling.css") + _LABEL_STYLE,
            body=(
                f'<nav class="visclust-home"><a href="/{person.token}">All tasks</a></nav>'
                '<div id="visclust-root"></div>'
            ),
            data={
                "settings": desk.settings,
                "kind": kind,
                "link": person.token,
                "header": TOKEN_HEADER,
                "side": SIDES[kind],
                "zoom": ZOOM_SIDE,
            },
            script=load_asset("server_store.js") + "\nmountServedPage();",
        )

    async def tell_state(self, request: Request) -> Response:
        """Tell a tab what it draws."""
        desk = await self._find_desk(request)
        tab = _check_id(request.query_params.get("tab"))
        shown = [_check_id(each) for each in request.query_params.getlist("shown")[:16]]
        return JSONResponse(await to_thread.run_sync(partial(desk.tell, tab, shown=shown)))

    async def take_event(self, request: Request) -> Response:
        """Record an answer; what is acknowledged is on disk."""
        desk = await self._find_desk(request)
        said = await _read_json(request)
        event = said.get("event")
        tab = _check_id(said.get("tab"))
        if not isinstance(event, dict):
            raise HTTPException(422, "Expected an event.")
        for name in ("event_id", "item_id"):
            _check_id(event.get(name))
        told = await to_thread.run_sync(desk.record, tab, event)
        if told["error"]:
            self._tell_host(f"{desk.settings['annotator']}, {desk.answer_file}: {told['error']}")
        return JSONResponse(told)

    async def take_leave(self, request: Request) -> Response:
        """Let go of what a tab that is closed held."""
        desk = await self._find_desk(request)
        said = await _read_json(request)
        await to_thread.run_sync(desk.leave, _check_id(said.get("tab")))
        return JSONResponse({})

    async def give_image(self, request: Request) -> Response:
        """Give an image of the person's task, named by its id alone, in one of two sizes."""
        desk = await self._find_desk(request)
        image = _check_id(request.query_params.get("id"))
        path = desk.task.files.get(image)
        sizes = {str(side): side for side in (SIDES[request.path_params["kind"]], ZOOM_SIDE)}
        side = sizes.get(request.query_params.get("side", ""))
        if path is None or side is None:
            raise HTTPException(404)
        return await self._images.give(path, side, seen=request.headers.get("if-none-match", ""))

    async def _find_desk(self, request: Request) -> Desk:
        """Find whose desk a request is for: by the link in its header, which no other site can set."""
        person = self._find_person(request.headers.get(TOKEN_HEADER, ""))
        if person is None:
            raise HTTPException(403, "This link does not work (any more). Ask the person who sent it to you.")
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise HTTPException(404)
        try:
            return await to_thread.run_sync(self._desks.open, person, kind)
        except NotOfferedError as problem:
            self._tell_host(f"{person.name} cannot label {KINDS[kind].lower()}: {problem}")
            raise HTTPException(
                409, "This cannot be labelled at the moment. What you answered stays in this browser."
            ) from problem

    def _find_person(self, token: str) -> Person | None:
        """Find whose link this is."""
        person = self._links.find(token)
        if self._links.trouble:
            self._tell_host(self._links.trouble)
        return person

    def _tell_host(self, words: str) -> None:
        """Say something to whoever runs the server, but not the same with every request."""
        now = time.monotonic()
        self._said = {said: at for said, at in self._said.items() if now - at < _SAID_AGAIN}
        if words not in self._said and len(self._said) < _MOST_SAID:
            self._said[words] = now
            self._say(words)


class _ImageStore:
    """Small JPEGs of images, the last ones used kept in memory up to a number of bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes | None] = OrderedDict()
        self._size = 0
        self._turn = threading.Lock()
        self._limiter: anyio.CapacityLimiter | None = None

    async def give(self, path: str, side: int, *, seen: str) -> Response:
        """Give an image with its ETag, or say that the browser's copy is the one."""
        try:
            found = await anyio.Path(path).stat()
        except OSError:
            raise HTTPException(410, "This image cannot be read.") from None
        name = f"{path}\0{side}\0{found.st_mtime_ns}\0{found.st_size}\0{found.st_ino}"
        tag = f'"{hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "private, no-cache", "vary": TOKEN_HEADER}
        if tag in [one.strip().removeprefix("W/") for one in seen.split(",")]:
            return Response(status_code=304, headers=headers)
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        jpeg = self._recall(tag)
        if jpeg is None:
            jpeg = await to_thread.run_sync(self._encode, path, side, limiter=self._limiter)
            self._keep(tag, jpeg)
        if not jpeg:
            raise HTTPException(410, "This image cannot be read.")
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    def _encode(self, path: str, side: int) -> bytes:
        """Encode an image without its metadata; nothing where it cannot be read."""
        buffer = io.BytesIO()
        try:
            read_image(path, max_side=side).save(buffer, "JPEG", quality=85)
        except UnreadableImageError:
            return b""
        return buffer.getvalue()

    def _recall(self, tag: str) -> bytes | None:
        with self._turn:
            if tag in self._kept:
                self._kept.move_to_end(tag)
            return self._kept.get(tag)

    def _keep(self, tag: str, jpeg: bytes) -> None:
        with self._turn:
            if tag in self._kept:
                return
            self._kept[tag] = jpeg
            self._size += len(jpeg) + 200
            while self._size > _IMAGE_BYTES:
                _, old = self._kept.popitem(last=False)
                self._size -= len(old or b"") + 200


class SecureHeaders:
    """Put onto every answer, faults included, what keeps a browser from doing more than it should."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        names = {name for name, _ in scope["headers"]}
        if {b"content-length", b"transfer-encoding"} <= names:  # where it ends, a proxy may see otherwise
            refuse = PlainTextResponse("Bad request.", 400, headers={"connection": "close"})
            await refuse(scope, receive, send)
            return

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", _NO_PAGE_POLICY)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_more)


def _draw_task(person: Person, kind: str, desk: Desk) -> str:
    """Draw one task of the list."""
    progress = desk.count()
    done, total = progress["done"], progress["total"]
    words = "Start" if not done else "Go on" if progress["left"] else "Look at the end"
    said = f"{done} of {total} done" + ("" if progress["left"] else ". Thank you.")
    return (
        f'<div class="task"><h2>{KINDS[kind]}</h2><p>{escape(desk.settings["question"])}</p>'
        f'<progress max="{total}" value="{done}" aria-label="{said}"></progress><p class="quiet">{said}</p>'
        f'<a class="go" href="/{person.token}/{kind}">{words}</a></div>'
    )


def _send_page(page: ServedPage, *, status: int = 200) -> Response:
    return HTMLResponse(page.html, status, headers={"content-security-policy": page.policy})


def _close() -> Response:
    """Show the one page that everybody without a link sees, whatever the study holds."""
    return _send_page(build_served_page(title="Link", style=_PAGE_STYLE, body=_CLOSED), status=404)


async def _forbid_robots(_request: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


async def _read_json(request: Request) -> dict[str, Any]:
    """Read what a script sent: JSON and said to be so, of bounded size, within bounded time."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Expected JSON.")
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        raise HTTPException(413, "Too much at once.")
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    raise HTTPException(413, "Too much at once.")
                parts.append(part)
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, "It took too long to arrive.") from None
    try:
        said = json.loads(b"".join(parts))
        # Half a character, which no file can hold, becomes "?", so that the answer it stands in is kept.
        said = json.loads(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise HTTPException(400, "Expected JSON.") from None
    if not isinstance(said, dict):
        raise HTTPException(422, "Expected an object.")
    return said


def _check_id(value: Any) -> str:
    """Refuse what is no id."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID:
        raise HTTPException(422, "Expected an id.")
    return value


def _refuse(status: int, words: str) -> Response:
    return JSONResponse({"error": words}, status)


async def _explain(request: Request, problem: Any) -> Response:
    """Answer a request that is refused: in words to a script, by the closed page to a person."""
    if request.url.path.startswith("/api/"):
        return _refuse(problem.status_code, problem.detail)
    return _close()


async def _explain_fault(_request: Request, _problem: Exception) -> Response:
    """Answer a request on which the server failed; what failed stands where it was started."""
    return _refuse(500, "The server failed. What you answered stays in this browser and is sent again.")
