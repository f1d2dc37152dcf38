"""Pages of HTML: each policy, and texts of others that stay texts."""

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from visclust.base.html import build_data_page, build_pictures_page, build_served_page

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "-->]]></SCRIPT  ><img src=x onerror=alert(1)>",
    "</title></style><base href=//elsewhere>",
    "\"'><b>&lt;&amp;",
    "\\u003c/script>\u2028\ud83d",
]
PARTS = {"title": "Study", "style": "h1 { color: red; }", "body": "<h1>Study</h1>"}


class Tags(HTMLParser):
    """What a browser would make of a page: its tags in order, and the text in each kind of them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.attributes = [], {}, {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.setdefault(tag, []).append(dict(attrs))

    def handle_data(self, data):
        if self.tags:
            self.texts[self.tags[-1]] = self.texts.get(self.tags[-1], "") + data


def build(**changes):
    return build_data_page(**(PARTS | {"data": {"texts": []}, "script": "mount();"} | changes))


def read_policy(page):
    """Read the directives of a page's policy, each with what it admits."""
    (content,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    return {name: admitted for name, *admitted in map(str.split, unescape(content).split(";"))}


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def find_elements(page, start):
    return re.findall(rf"{start}(.*?)</", page, re.DOTALL)


def test_a_page_with_data_admits_its_one_script_and_one_style_sheet_by_digest_and_nothing_inline():
    page = build()
    (script,) = find_elements(page, '<script type="module">')
    (style,) = find_elements(page, "<style>")
    assert "mount();" in script
    assert read_policy(page) == {
        "default-src": ["'none'"],
        "script-src": [digest(script)],
        "style-src": [digest(style)],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


def test_a_page_of_pictures_admits_no_script_and_what_notebooks_need_of_styles():
    assert read_policy(build_pictures_page(**PARTS)) == {
        "default-src": ["'none'"],
        "img-src": ["data:"],
        "style-src": ["'unsafe-inline'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


def test_a_served_page_talks_to_its_own_server_only_and_stands_in_no_frame():
    plain = build_served_page(**PARTS)
    (style,) = find_elements(plain.html, "<style>")
    assert read_policy(plain.html) == {
        "default-src": ["'none'"],
        "style-src": [digest(style)],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    page = build_served_page(**PARTS, data={"texts": HOSTILE}, script="mount();")
    policy = read_policy(page.html)
    assert policy["script-src"] == [digest(find_elements(page.html, '<script type="module">')[0])]
    assert (policy["connect-src"], policy["img-src"]) == (["'self'"], ["blob:"])
    # As a header it also forbids frames, which no page can for itself.
    assert (
        page.policy
        == unescape(re.findall('Policy" content="([^"]*)"', page.html)[0]) + "; frame-ancestors 'none'"
    )
    assert json.loads(Tags(page.html).texts["script"].partition("\n")[0]) == {"texts": HOSTILE}
    with pytest.raises(ValueError, match="which would end it"):
        build_served_page(**PARTS, data={}, script="'</script'")


def test_the_policy_stands_before_all_that_it_governs():
    page = build()
    assert page.index("Content-Security-Policy") < min(
        map(page.index, ("<title", "<style", "<script", "<body"))
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_a_script_or_opens_a_tag(text):
    harmless = Tags(build())
    page = build(title=text, data={"texts": [text], text: text})
    found = Tags(page)
    assert found.tags == harmless.tags
    assert found.attributes["script"] == harmless.attributes["script"]
    assert page.count("<script") == page.count("</script") == 2
    assert "<!--" not in page
    (data,) = find_elements(page, '<script type="application/json" id="visclust-page">')
    assert json.loads(data) == {"texts": [text], text: text}
    assert unescape(re.search("<title>(.*?)</title>", page, re.DOTALL)[1]) == text


def test_texts_change_neither_the_script_nor_what_the_policy_admits():
    assert read_policy(build(title=HOSTILE[0], data=HOSTILE)) == read_policy(build())


@pytest.mark.parametrize("script", ["'</SCRIPT>'", "x<!--y"])
def test_a_script_that_would_end_itself_is_refused(script):
    with pytest.raises(ValueError, match="spell it apart"):
        build(script=script)


def test_braces_in_any_part_are_left_alone():
    page = build(title="{title}", script="{ {policy} }", data="{script}", style="a { b: {c} }")
    assert "<title>{title}</title>" in page
    assert "{ {policy} }" in page
    assert '"{script}"' in page
