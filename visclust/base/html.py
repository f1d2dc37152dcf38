"""Build HTML pages that need nothing but themselves, each under the strictest content policy it can bear."""

import base64
import hashlib
import json
from html import escape
from typing import Any, NamedTuple

# What a browser may load and run for a page, by the kind of page. default-src stands for all that is not
# named, frames, fonts and connections included, but not for base-uri and form-action.
POLICIES = {
    # Texts and pictures of others, and one script and one style sheet of ours: the digests admit just these.
    # Scripts may still set single properties of an element's style, which is no inline style to a browser.
    "data": "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; "
    "base-uri 'none'; form-action 'none'",
    # What notebooks put out: no script at all. Their HTML, such as rows of thumbnails, brings style sheets of
    # its own, which nobody here knows beforehand, so that any must be allowed.
    "pictures": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'",
    # A page of our server without a script, which links to others of it.
    "served": "default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'none'",
    # A page of our server whose script asks the same server, and nobody else, for pictures and what it knows.
    "served data": "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""

# The first is no script to a browser, which never runs it: the second reads it by its id.
_SCRIPT = """
<noscript>This page needs JavaScript. Open it in a current Firefox, Chrome, Edge or Safari.</noscript>
<script type="application/json" id="visclust-page">{data}</script>
<script type="module">{script}</script>"""


def build_pictures_page(*, title: str, style: str, body: str) -> str:
    """Build a page without a script. `body` is HTML: what of others is in it, its maker has escaped."""
    return _fill("pictures", title=title, style=style, body=body)


def build_data_page(*, title: str, style: str, body: str, data: Any, script: str) -> str:
    """Build a page whose script draws `data`, anything that JSON can hold, whatever texts are in it.

    `body` is HTML: what of others is in it, its maker has escaped. Only `script` runs and only `style`
    counts: one that a text smuggled in would not, had it got past the escaping.
    """
    spelt, script = _spell(data), _check_script(script)
    return _fill(
        "data",
        title=title,
        style=style,
        body=body + _SCRIPT.format(data=spelt, script=script),
        script=_digest(script),
    )


class ServedPage(NamedTuple):
    """A page, and the content policy that its answer's header names too: there it also forbids frames."""

    html: str
    policy: str


def build_served_page(*, title: str, style: str, body: str, data: Any = None, script: str = "") -> ServedPage:
    """Build a page of a server, with a script that draws `data` where one is given.

    `body` is HTML: what of others is in it, its maker has escaped.
    """
    parts = {"title": title, "style": style}
    if script:
        spelt, script = _spell(data), _check_script(script)
        parts |= {"body": body + _SCRIPT.format(data=spelt, script=script), "script": _digest(script)}
    else:
        parts |= {"body": body, "script": ""}
    kind = "served data" if script else "served"
    policy = POLICIES[kind].format(script=parts["script"], style=_digest(f"\n{style}\n"))
    return ServedPage(_fill(kind, **parts), f"{policy}; frame-ancestors 'none'")


def _spell(data: Any) -> str:
    """Spell data for a script element, which only "<" could end or turn into a comment."""
    return json.dumps(data).replace("<", "\\u003c")


def _check_script(script: str) -> str:
    """Give a script as it stands in a page, or refuse one that would end its element."""
    script = f"\n{script}\n"
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError(
            "Expected a script without '</script' and '<!--', which would end it: spell it apart."
        )
    return script


def _fill(kind: str, *, title: str, style: str, body: str, script: str = "") -> str:
    """Put the parts of a page together under the policy of its kind."""
    style = f"\n{style}\n"
    policy = POLICIES[kind].format(script=script, style=_digest(style))
    return _PAGE.format(policy=policy, title=escape(title), style=style, body=body)


def _digest(text: str) -> str:
    """Name the one script or style sheet that a policy admits."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
