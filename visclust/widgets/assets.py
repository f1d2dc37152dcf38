"""The scripts and styles of the widgets and their pages, from the folder static."""

from functools import cache
from importlib.resources import files

_LABELLER = ("shared.js", "labelling_controls.js", "labelling_view.js")
_BROWSER = ("shared.js", "browser_sheet.js", "browser_view.js")

# What stands before a script in the one module that a web browser loads.
_BEFORE = {
    "labelling_kernel.js": _LABELLER,
    "labelling_page.js": (*_LABELLER, "csv.js", "page_keeper.js", "page_file.js", "page_store.js"),
    "server_store.js": _LABELLER,
    "name_page.js": ("shared.js",),
    "browser_kernel.js": _BROWSER,
    "browser_page.js": _BROWSER,
}


@cache
def load_asset(name: str) -> str:
    """Load a file of the folder static as text, a script with what it needs before it.

    The scripts import nothing from one another: a page on a disk could not, and Jupyter loads one module.
    """
    folder = files("visclust.widgets") / "static"
    return "\n".join(
        folder.joinpath(one).read_text(encoding="utf-8") for one in (*_BEFORE.get(name, ()), name)
    )
