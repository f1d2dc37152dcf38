"""Which photographs of which Debian packages make up the example corpus, in which groups, and whose they are.

Every choice here was made by looking at the pictures and at the packages' copyright files and changelogs.
"""

import csv
import gzip
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

# The choices below hold for these versions; others may have other pictures or other licences.
VERSIONS = {"endless-sky-data": "0.9.8-1.2", "tuxpaint-stamps-default": "2022.06.04-1"}

_LAND = "usr/share/games/endless-sky/images/land"
_STAMPS = "usr/share/tuxpaint/stamps"

# Prefixes of images/land that do not say what a photograph shows.
DROPPED_PREFIXES = {
    "bwerner": "a photographer's name, over many subjects",
    "dmottl": "a photographer's name, over many subjects",
    "mfield": "a photographer's name, over many subjects",
    "myrabella": "a photographer's name, over many subjects",
    "loc": "the Library of Congress, over many subjects",
    "nasa": "an agency's name: launch pads, lightning, planets",
    "earthrise": "one image only",
    "industrial": "one image only",
    "dune": "most show plains and mountains, as desert and mountain do",
    "forest": "most show mountains and valleys, which have prefixes of their own",
    "sky": "a sky over mountains, sea or fields, which have prefixes of their own",
}
# The photographs of "space" show the inside of spacecraft and stations, as those of "station" do.
JOINED_PREFIXES = {"space": "station"}

# Folder of the stamps -> group; the longest folder that fits counts. Folders not named here are left out:
# drawings, symbols, or fewer than three photographs.
STAMP_GROUPS = {
    "animals/birds": "animals/birds",
    "animals/fish": "animals/fish",
    "animals/insects": "animals/insects",
    "animals/mammals": "animals/mammals",
    "animals/mammals/aquatic": "animals/mammals/aquatic",
    "animals/mammals/bovines": "animals/mammals/bovines",
    "animals/mammals/cats": "animals/mammals/cats",
    "animals/mammals/deer": "animals/mammals/deer",
    "animals/mammals/equines": "animals/mammals/equines",
    "animals/mammals/rodents": "animals/mammals/rodents",
    "food/fruit": "food/fruit",
    "food/nuts": "food/nuts",
    "food/vegetables": "food/vegetables",
    "household": "household",
    "household/arttools": "household/arttools",
    "household/dishes": "household/dishes",
    "household/tools": "household/tools",
    "medical": "medical",
    "military/vehicles": "military/vehicles",
    "plants": "plants",
    "plants/flowers": "plants/flowers",
    "plants/mushrooms": "plants/mushrooms",
    "plants/trees": "plants/trees",
    "seasonal/christmas": "seasonal/christmas",
    "seasonal/halloween": "seasonal/gravestones",  # all that is a photograph in this folder
    "space/moon": "space/moon",
    "space/planets": "space/planets",
    "town/roadsigns": "town/roadsigns",
    "vehicles": "vehicles",
}

DROPPED_STAMPS = {
    "drawn, rendered or traced, not a photograph": [
        "*/cartoon/*",
        "animals/insects/bee",
        "animals/insects/fly",
        "animals/mammals/echidna",
        "animals/mammals/hedgehog",
        "household/arttools/highlighter",
        "household/dishes/glass",
        "household/key",
        "household/tools/wrench_adjustable",
        "medical/mercurythermometer",
        "medical/tooth",
        "plants/trees/holly_leaves",
        "seasonal/christmas/Santa",
        "seasonal/christmas/bow",
        "seasonal/christmas/candy_cane",
        "seasonal/christmas/hard_candy",
        "seasonal/christmas/lamp",
        "seasonal/christmas/santahat",
        "seasonal/christmas/star",
        "seasonal/christmas/stocking",
        "seasonal/christmas/tree",
        "seasonal/halloween/[!g]*",
        "seasonal/halloween/ghost",
        "space/planets/0_sun",
        "town/roadsigns/arrow",
        "town/roadsigns/crossroads",
        "town/roadsigns/give_way_sign",
        "town/roadsigns/hospital",
        "town/roadsigns/roundabout",
        "town/roadsigns/stop*",
        "town/roadsigns/t-junction",
        "town/roadsigns/toilets",
        "town/roadsigns/yield",
        "vehicles/7spoke256",
        "vehicles/auto/sportscar2",
    ],
    "a second form of another stamp (mirrored or upside down)": ["*_mirror", "*_flip"],
    "too small or too washed out to tell what it is": [
        "animals/fish/shrimp",
        "food/nuts/walnut_shelled",
        "seasonal/christmas/xmas_tp_bulb",
        "vehicles/emergency/sedan_police",
        "vehicles/ship/chineseJunk",
    ],
    "not of its group": ["animals/mammals/bears/toys/*"],
    "GNU Free Documentation License only, according to the changelog": [
        "animals/birds/helmeted_guineafowl",
        "animals/insects/Woodlouse",
        "food/fruit/Apricot_whole",
        "food/fruit/Cherry_Stella",
        "food/fruit/Strawberry2",
        "household/Lightbulb",
        "seasonal/christmas/Christmas_pudding",
    ],
    "licence of its origin not stated, or without its version": [
        "food/fruit/apricot",
        "food/fruit/grapes",
        "food/fruit/pineapple",
        "food/fruit/sliced_lime",
        "food/fruit/sliced_orange",
        "seasonal/christmas/German_Christmas_toy",
        "town/roadsigns/traffic_cone",
    ],
}


class Photograph(NamedTuple):
    """One photograph of a package: where it is, its known group, and whose it is."""

    group: str
    package: str
    source_path: str
    author: str
    licence: str
    credited_in: str


def list_photographs(root: Path) -> list[Photograph]:
    """List the photographs of the example corpus, in the order of their paths.

    Parameters
    ----------
    root : pathlib.Path
        Folder into which both packages were unpacked with ``dpkg -x``.

    Returns
    -------
    list of Photograph
        One entry per distinct photograph.

    Raises
    ------
    ValueError
        If a package's version is not the one whose pictures and licences were looked at.
    """
    for package, expected in VERSIONS.items():
        found = _read_version(root, package)
        if found != expected:
            raise ValueError(
                f"Expected {package} {expected}, got {found}. Look at its pictures and its copyright file "
                "again, then change VERSIONS and the choices in image_sources.py."
            )
    return _list_land(root) + _list_stamps(root)


def _read_version(root: Path, package: str) -> str:
    with gzip.open(root / "usr/share/doc" / package / "changelog.Debian.gz", "rt") as file:
        return re.search(r"\((.+?)\)", file.readline()).group(1)  # type: ignore[union-attr]


def _list_land(root: Path) -> list[Photograph]:
    paragraphs = _read_copyright(root / "usr/share/doc/endless-sky-data/copyright")
    photographs = []
    for path in sorted((root / _LAND).glob("*.jpg")):
        prefix = re.match("[a-z]+", path.stem).group()  # type: ignore[union-attr]
        if prefix in DROPPED_PREFIXES:
            continue
        author, licence = _find_credit(f"images/land/{path.name}", paragraphs)
        group = f"landscape/{JOINED_PREFIXES.get(prefix, prefix)}"
        source = str(path.relative_to(root))
        photographs.append(Photograph(group, "endless-sky-data", source, author, licence, "copyright file"))
    return photographs


def _list_stamps(root: Path) -> list[Photograph]:
    dropped = [pattern for patterns in DROPPED_STAMPS.values() for pattern in patterns]
    # What the changelog says beyond the copyright file.
    with (Path(__file__).parent / "stamp_credits.csv").open(encoding="utf-8", newline="") as file:
        credits = [(row["author"], row["licence"], row["stamps"].split()) for row in csv.DictReader(file)]
    photographs = []
    for path in sorted((root / _STAMPS).rglob("*.png")):
        name = path.relative_to(root / _STAMPS).with_suffix("").as_posix()
        folders = [folder for folder in STAMP_GROUPS if name.startswith(f"{folder}/")]
        if not folders or any(fnmatchcase(name, pattern) for pattern in dropped):
            continue
        author, licence, where = "Bill Kendrick and the Tux Paint contributors", "GPL-2", "copyright file"
        for credited, credited_licence, stamps in credits:
            if any(fnmatchcase(path.stem, pattern) for pattern in stamps):
                author, licence, where = credited, credited_licence, "copyright file and changelog"
        group, source = STAMP_GROUPS[max(folders, key=len)], str(path.relative_to(root))
        photographs.append(Photograph(group, "tuxpaint-stamps-default", source, author, licence, where))
    return photographs


def _read_copyright(path: Path) -> list[tuple[list[str], str, str]]:
    """Read a machine-readable copyright file as (patterns, holder, licence) in its order."""
    found = []
    for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^(Files|Copyright|License):\s*((?:.*)(?:\n .*)*)", paragraph, re.M))
        if "Files" in fields:
            holder = " ".join(fields["Copyright"].split())
            found.append((fields["Files"].split(), holder, fields["License"].split("\n")[0].strip()))
    return found


def _find_credit(path: str, paragraphs: list[tuple[list[str], str, str]]) -> tuple[str, str]:
    """Find the holder and licence of a file: the last paragraph that fits counts, as the format has it.

    A photographer's own suffix (``*-harro*``) beats a later wildcard that fits by accident:
    ``mountain1*`` means mountain1.jpg and not mountain17-harro.jpg.
    """
    fits = [
        (pattern, holder, licence)
        for patterns, holder, licence in paragraphs
        for pattern in patterns
        if fnmatchcase(path, pattern)
    ]
    suffixed = [fit for fit in fits if "/*-" in fit[0]]
    _, holder, licence = (suffixed or fits)[-1]
    if holder == "Various":
        holder = "Various (not named; see the copyright file)"
    return holder, licence
