"""One command makes every image that README, templates, help pages and docs show."""

import re

import pytest
from appearance_transfer.benchmarks import help_images, images, screenshots, thumbnails
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.paths import ROOT

ICON = "docs/images/icon.svg"  # drawn by hand
RESULTS = "benchmarks/results/"  # made by their benchmarks, with their numbers


def generated() -> set[str]:
    """What the kinds of images.KINDS write."""
    return {
        *(path.relative_to(ROOT).as_posix() for path in (images.DEMO_IMAGE, images.DEMO_GRID)),
        *(f"workflows/{name}.jpg" for name in thumbnails.PANELS),
        *(f"web/docs/images/{name}.jpg" for name in help_images.IMAGES),
        *(f"docs/images/page_{name}.jpg" for name in screenshots.SHOTS),
    }


def test_every_image_there_is_can_be_made_anew() -> None:
    folders = ("docs/images", "web/docs/images", "workflows")
    there = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).iterdir()
        if path.suffix in (".png", ".jpg", ".svg")
    }
    assert there - generated() == {ICON}


def test_every_image_that_a_page_shows_can_be_made_anew() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    linked = {
        (page.parent / link).resolve().relative_to(ROOT).as_posix()
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+\.(?:png|jpg))\)", page.read_text(encoding="utf-8"))
    }
    assert linked
    assert {link for link in linked if not link.startswith(RESULTS)} <= generated()


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CliError, match="no images paintings"):
        images.main(None, ["paintings"])
