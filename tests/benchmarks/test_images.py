"""One command makes every image that README, templates, help pages and docs show."""

import re
from urllib.parse import unquote

import pytest
from appearance_transfer.benchmarks import gallery as gallery_benchmark
from appearance_transfer.benchmarks import help_images, images, photograph_panels, screenshots, thumbnails
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.gallery import file_name
from appearance_transfer.developer.paths import ROOT

ICON = "docs/images/icon.svg"  # drawn by hand
RESULTS = "benchmarks/results/"  # made by their benchmarks, with their numbers


def generated() -> set[str]:
    """What the kinds of images.KINDS write."""
    return {
        *(path.relative_to(ROOT).as_posix() for path in (images.DEMO_IMAGE, images.DEMO_GRID, photograph_panels.PATH)),
        *(f"workflows/{file_name(name)}.jpg" for name in thumbnails.PANELS),
        *(f"web/docs/images/{name}.jpg" for name in help_images.IMAGES),
        *(f"docs/images/page_{name}.jpg" for name in screenshots.SHOTS),
        *(
            screenshots.opened(number, renderer).relative_to(ROOT).as_posix()
            for number in screenshots.FIRST
            for renderer in screenshots.RENDERERS
        ),
        *(gallery_benchmark.image_of(name).relative_to(ROOT).as_posix() for name in gallery_benchmark.SHEETS),
    }


def test_every_image_there_is_can_be_made_anew() -> None:
    folders = ("docs/images", "docs/images/templates", "web/docs/images", "workflows")
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
        (page.parent / unquote(link)).resolve().relative_to(ROOT).as_posix()
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+\.(?:png|jpg))\)", page.read_text(encoding="utf-8"))
    }
    assert linked
    assert {link for link in linked if not link.startswith(RESULTS)} <= generated()


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CliError, match="no images paintings"):
        images.main(None, ["paintings"])
    with pytest.raises(CliError, match="no screenshots paintings"):
        screenshots.main(None, ["paintings"])


def test_the_page_of_templates_has_a_row_for_each_and_shows_the_first() -> None:
    page = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
    names = sorted(file_name(name) for name in thumbnails.PANELS)
    assert [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")][1:] == names
    for number in screenshots.FIRST:
        assert all(f"](images/templates/{number}_{renderer}.jpg)" in page for renderer in screenshots.RENDERERS)


def test_a_row_holds_both_renderers() -> None:
    row = {"template": "", "nodes": "9", "width": "2350", "height": "1289", "zoom": "0.46", "overlaps": "0"}
    rows = [row | {"template": f"{number} one"} for number in screenshots.FIRST]
    page = screenshots.templates_page({"canvas": rows, "vue": [one | {"zoom": "0.5", "overlaps": "1"} for one in rows]})
    assert "| 01 one | 9 | 2350 x 1289 | 0.46 | 0.5 | 1 |" in page
    assert "## 06 one" in page
