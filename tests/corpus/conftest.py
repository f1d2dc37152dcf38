"""Files of posts, written and read."""

import json

import pytest

import visclust as vc


@pytest.fixture
def read(tmp_path):
    """Write lines (text, or things to write as JSON) into a file and read them."""

    def write_and_read(*lines, name="posts.jsonl", **options):
        path = tmp_path / name
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text(text, encoding="utf-8")
        return vc.read_posts(path, progress=False, **options)

    return write_and_read
