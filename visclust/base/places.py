"""Where a study is, so that its files name its images in a way that survives a move of the whole folder."""

from pathlib import Path

STUDY_FILE = "study.toml"


def find_study_folder(path: Path) -> Path | None:
    """Find the study that a file or folder lies in: the nearest folder above it with a study file."""
    place = path.absolute()
    return next((each for each in (place, *place.parents) if (each / STUDY_FILE).is_file()), None)
