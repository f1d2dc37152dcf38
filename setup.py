"""Put the notebooks into the wheel: `visclust start` needs no clone. Everything else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithNotebooks(build_py):
    """Copy notebooks/ into the package as it is built; in an editable install the clone's own are used."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        to = Path(self.build_lib) / "visclust" / "notebooks"
        to.mkdir(parents=True, exist_ok=True)
        for path in sorted(Path(__file__).parent.glob("notebooks/*.ipynb")):
            self.copy_file(str(path), str(to / path.name))


setup(cmdclass={"build_py": BuildWithNotebooks})
