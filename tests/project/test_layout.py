"""The shape of the repository: its files, who imports what, and conda environments held to pyproject.toml."""

import ast
import re
import shutil
import subprocess
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted((ROOT / "visclust").rglob("*.py"))

# A folder imports only those before it.
FLOORS = [
    "base",
    "images",
    "corpus",
    "annotation",
    "embedding",
    "finetuning",
    "clustering",
    "scale",
    "validation",
    "sampling",
    "exploration",
    "widgets",
    "survey",
    "ratings",
]

# Where conda's name differs from pip's.
CONDA_NAMES = {"pytorch-gpu": "torch", "pytorch-cpu": "torch", "cuml": "cuml-cu13"}
ENVIRONMENTS = {"environment.yml": ("lab", "gpu"), "binder/environment.yml": ("lab",)}

FILES = [
    "notebooks",
    "visclust",
    "tests",
    "benchmarks",
    "binder",
    "environment.yml",
    "pyproject.toml",
    "setup.py",
    "study.toml",
    "Makefile",
    "README.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "CHANGELOG.md",
    ".pre-commit-config.yaml",
    ".ci/run",
]


def test_the_top_level_holds_what_a_project_needs():
    assert [name for name in FILES if not (ROOT / name).exists()] == []


def test_ci_calls_make_test_and_nothing_else():
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if not line.startswith(("#", "set ", "cd "))] == ["make test"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def list_imports(path):
    """Give the dotted names that a file imports anywhere, `from a import b` as a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def read_imports_of_ours():
    """Give for each module of the package the modules of the package that it imports anywhere."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in MODULES}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    return {name: list_imports(path) & names.keys() for name, path in names.items()}


def find_floor(module):
    """Give the number of the folder that a module is in; None for the doors above the folders."""
    parts = module.split(".")
    return (
        FLOORS.index(parts[1])
        if len(parts) > 1 and parts[1] in FLOORS and (ROOT / "visclust" / parts[1] / "__init__.pyi").exists()
        else None
    )


def test_a_folder_imports_only_the_folders_before_it():
    # The doors above them (commands, study and so on) may import any folder; no folder imports a door.
    wrong = []
    for module, imported in read_imports_of_ours().items():
        floor = find_floor(module)
        for other in imported - {"visclust", "visclust._lazy"} if floor is not None else ():
            below = find_floor(other)
            if below is None or below > floor:
                wrong.append(f"{module} imports {other}")
    assert sorted(wrong) == []


def list_names_taken_from_the_package(path):
    """Give what a file takes from `visclust` itself, which offers the names of all floors."""
    tree = ast.parse(path.read_text())
    called, names = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            called |= {
                alias.asname or "visclust"
                for alias in node.names
                if alias.name == "visclust" or (alias.name.startswith("visclust.") and not alias.asname)
            }
        elif isinstance(node, ast.ImportFrom) and node.module == "visclust":
            names |= {alias.name for alias in node.names}
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return names | {
        each.attr for each in attributes if isinstance(each.value, ast.Name) and each.value.id in called
    }


def test_a_folder_takes_nothing_but_the_version_from_the_package_itself():
    # `visclust.compare_groups` would import a higher floor when it is used, and no import would show it.
    wrong = {
        str(path.relative_to(ROOT)): names
        for path in MODULES
        if path.parent.name in FLOORS and (names := list_names_taken_from_the_package(path) - {"__version__"})
    }
    assert wrong == {}


def test_only_the_doors_import_by_text():
    # Such imports would escape the order of floors.
    found = {
        str(path.relative_to(ROOT / "visclust"))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name | ast.Attribute | ast.alias)
        and {"import_module", "__import__"}
        & {getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")}
    }
    assert found == {"_lazy.py"}


def test_every_folder_of_the_package_is_a_floor():
    folders = {path.parent.name for path in MODULES} - {"visclust"}
    assert folders == set(FLOORS)


def test_only_the_backend_imports_cupy_and_cuml():
    found = {
        path.name
        for path in MODULES
        if {name.partition(".")[0] for name in list_imports(path)} & {"cupy", "cuml"}
    }
    assert found == {"backend.py"}


def test_imports_run_one_way():
    # A circle raises CycleError and names its modules.
    assert list(TopologicalSorter(read_imports_of_ours()).static_order())


def test_the_page_for_contributors_names_every_floor_in_its_order():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    picture = page.split("```")[1]
    assert [name for name in re.findall(r"^ (\w+)", picture, re.MULTILINE) if name != "doors"] == FLOORS[::-1]


def test_the_readme_maps_the_folders_in_their_order():
    text = (ROOT / "README.md").read_text().split("## What the package is made of")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == FLOORS


def list_public_names():
    """Give the public names of a floor, as its stub lists them, by floor."""
    stubs = {floor: (ROOT / "visclust" / floor / "__init__.pyi").read_text() for floor in FLOORS}
    return {floor: set(re.findall(r"(\w+) as \1", text)) for floor, text in stubs.items()}


def test_what_the_page_for_contributors_points_to_is_there():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:[a-z]+/)+[a-z_]+\.py)`", page)
    assert paths
    assert [
        path for path in paths if not (ROOT / path).exists() and not (ROOT / "visclust" / path).exists()
    ] == []
    names = list_public_names()
    for line in page.split("```")[1].splitlines():
        floor, *_, examples = re.split(r" {2,}", f"{line.strip()}  ")[:3] if line.strip() else ("", "")
        if floor in FLOORS and floor != "base":
            assert set(examples.split(", ")) <= names[floor], line


def list_tracked_texts():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are tracked cannot be told")
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, names):
        content = (ROOT / name).read_bytes() if (ROOT / name).exists() else b""
        if b"\0" not in content:
            yield name, content.decode("utf-8", "replace")


def test_nothing_names_a_path_of_one_machine_or_the_host_of_a_registry():
    # Put together here, so that this file does not name them either.
    hosts = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    hosts += [".".join(parts) for parts in (("conda", "anaconda", "org"), ("deb", "debian", "org"))]
    machine = [rf"(?<![\w./])/{folder}/" for folder in ("work", "root", "home")]
    pattern = re.compile("|".join([*map(re.escape, hosts), *machine]))
    found = {name: match.group() for name, text in list_tracked_texts() if (match := pattern.search(text))}
    assert found == {}


def read_requirements(*extras):
    """Give the bounds of pyproject.toml by name: core and the extras named."""
    wanted = list(PROJECT["dependencies"])
    for extra in extras:
        wanted += PROJECT["optional-dependencies"][extra]
    found = {}
    for each in map(Requirement, wanted):
        found.setdefault(canonicalize_name(each.name), each.specifier)
    return found


def read_environment(name):
    """Give the bounds of a conda environment by pip's names, those of its pip section among them."""
    found = {}
    for entry in yaml.safe_load((ROOT / name).read_text())["dependencies"]:
        for line in entry["pip"] if isinstance(entry, dict) else [entry]:
            if line.startswith("-e "):
                continue
            package, bounds = re.fullmatch(r"([\w.-]+)(.*)", line).groups()
            # conda's "=26.10" means any 26.10.
            bounds = re.sub(r"^=(?!=)(.*)", r"==\1.*", bounds)
            found[canonicalize_name(CONDA_NAMES.get(package, package))] = SpecifierSet(bounds)
    return found


def find_bounds(specifiers):
    """Give the lowest version admitted and the first above all that are; None where open."""
    floors = [
        Version(each.version.removesuffix(".*")) for each in specifiers if each.operator in (">=", "==")
    ]
    ceilings = [Version(each.version) for each in specifiers if each.operator == "<"]
    for each in specifiers:
        if each.operator == "==":
            *start, last = each.version.removesuffix(".*").split(".")
            ceilings.append(Version(".".join([*start, str(int(last) + 1)])))
    return max(floors, default=None), min(ceilings, default=None)


def is_within(inner, outer):
    (floor, ceiling), (outer_floor, outer_ceiling) = find_bounds(inner), find_bounds(outer)
    return (outer_floor is None or (floor is not None and floor >= outer_floor)) and (
        outer_ceiling is None or (ceiling is not None and ceiling <= outer_ceiling)
    )


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (">=5.5,<6", ">=5.5,<6", True),
        (">=5.6,<5.9", ">=5.5,<6", True),
        (">=5.4,<6", ">=5.5,<6", False),
        (">=5.5", ">=5.5,<6", False),
        (">=5.5,<7", ">=5.5,<6", False),
        ("==26.10.*", ">=26.6,<27", True),
        ("==26.10.*", ">=26.11", False),
        ("", ">=1", False),
    ],
)
def test_bounds_are_compared_by_their_ends(inner, outer, expected):
    assert is_within(SpecifierSet(inner), SpecifierSet(outer)) is expected


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_conda_environment_admits_no_version_that_pyproject_does_not(name):
    environment = read_environment(name)
    wanted = read_requirements(*ENVIRONMENTS[name])
    assert sorted(wanted.keys() - environment.keys()) == []
    assert {
        each: f"{environment[each]} against {bounds}"
        for each, bounds in wanted.items()
        if not is_within(environment[each], bounds)
    } == {}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_conda_environment_has_a_python_that_pyproject_admits(name):
    floor, _ = find_bounds(read_environment(name)["python"])
    assert floor in SpecifierSet(PROJECT["requires-python"])


def test_the_gpu_environment_asks_rapidsai_before_conda_forge():
    assert yaml.safe_load((ROOT / "environment.yml").read_text())["channels"] == ["rapidsai", "conda-forge"]


def test_binder_installs_visclust_and_replaces_nothing():
    script = ROOT / "binder/postBuild"
    assert script.stat().st_mode & 0o111
    assert "pip install --no-deps -e ." in script.read_text()


def read_pages():
    """Give the text of the pages that may carry badges: 00_start_here and the README, those that exist."""
    notebook = ROOT / "notebooks/00_start_here.ipynb"
    pages = {"README.md": (ROOT / "README.md").read_text()}
    if notebook.exists():
        pages[notebook.stem] = "\n".join(cell.source for cell in nbformat.read(notebook, as_version=4).cells)
    return pages


def test_badges_lead_to_this_repository():
    owner_and_name = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
    starts = (
        rf"https://mybinder\.org/v2/gh/{owner_and_name}/HEAD\?urlpath=lab/tree/notebooks/",
        rf"https://colab\.research\.google\.com/github/{owner_and_name}/blob/main/notebooks/",
    )
    for page, text in read_pages().items():
        links = re.findall(
            r"\]\((https://(?:mybinder\.org/v2|colab\.research\.google\.com/github)[^)]*)\)", text
        )
        assert [link for link in links if not re.match("|".join(starts), link)] == [], page
        for link in links:
            assert (ROOT / "notebooks" / link.rpartition("/notebooks/")[2]).exists(), link
        if page == "00_start_here":
            assert all(any(re.match(start, link) for link in links) for start in starts), page


def test_colab_installs_from_this_repository_before_it_imports_visclust():
    text = read_pages().get("00_start_here")
    if text is None:
        pytest.skip("00_start_here is not written yet")
    assert f"%pip install -q --no-deps git+{PROJECT['urls']['Repository']}" in text
    assert '"google.colab" in sys.modules' in text
    assert text.index("--no-deps git+") < text.index("import visclust")
