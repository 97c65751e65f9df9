"""The screenshots of README.md and of docs/templates.md, taken by the tests of the page, which keep theirs in out/page.

`python dev.py bench screenshots [page] [templates]` runs the tests that take them. page: docs/images/page_NAME.jpg.
templates: docs/images/templates/ and docs/templates.md, how every template looks when it is opened.
"""

import csv
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ..developer.cli_output import CliError, echo
from ..developer.installation import Installation
from ..developer.paths import OUT, ROOT

SEEN = OUT / "page"
IMAGES = ROOT / "docs" / "images"
SHOTS = {  # name in docs/images -> the test's name for it
    "templates": "templates",
    "run": "run",
    "help": "help_is_a_click_away",
    "point_pairs": "a_point_is_clicked_and_its_match_dragged_and_the_next_run_follows",
}
QUALITY = 85  # less than 300 KB each
FIRST = ("01", "02", "03", "04", "05", "06")
RENDERERS = {"canvas": "classic", "vue": "Nodes 2.0"}
OPENED_WIDTH, OPENED_QUALITY = 1080, 75  # of a template as it is opened: 1.2 MB in all
TEMPLATES_PAGE = ROOT / "docs" / "templates.md"
LAYOUT = "tests/page/test_layout.py::test_templates_are_readable_when_they_open"
HEAD = """# Templates as they open

Every template in a window of 1440 x 900, in both renderers of ComfyUI's page. *zoom*: what the page opens it at;
*width x height*: of the graph; *overlaps*: nodes that cover each other. Written by `python dev.py bench screenshots
templates`, which opens them in Chromium.
"""
FOOT = """## Around them

![the template browser with the templates of the pack](images/page_templates.jpg)

![a template after a run: the image, and on the sampler what was found and what it cost](images/page_run.jpg)

![the help of a node beside it](images/page_help.jpg)
"""


@dataclass(frozen=True)
class Kind:
    """Some screenshots: the tests that take them, and what writes them to docs."""

    tests: Sequence[str]
    write: Callable[[], None]


def main(installation: Installation, arguments: Sequence[str]) -> int:
    """Take the kinds that are named, or all. Raises `CliError` where a test fails, since an image of a failure belongs
    nowhere.
    """
    if unknown := set(arguments) - KINDS.keys():
        raise CliError(f"There are no screenshots {', '.join(sorted(unknown))}; there are: {', '.join(KINDS)}.")
    chosen = [KINDS[name] for name in arguments or KINDS]
    command = [sys.executable, "-P", "-m", "pytest", "-q", *(test for kind in chosen for test in kind.tests)]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise CliError("The tests of the page do not pass; what they saw lies in out/page.")
    for kind in chosen:
        kind.write()
    return 0


def opened(number: str, renderer: str) -> Path:
    """Where the screenshot of a template as it is opened is written."""
    return IMAGES / "templates" / f"{number}_{renderer}.jpg"


def templates_page(tables: Mapping[str, Sequence[Mapping[str, str]]]) -> str:
    """docs/templates.md. tables: the rows that the test has measured, by renderer."""
    lines = [
        "| template | nodes | width x height | zoom, classic | zoom, Nodes 2.0 | overlaps |",
        "|---|---|---|---|---|---|",
    ]
    for classic, vue in zip(*(tables[renderer] for renderer in RENDERERS), strict=True):
        size, overlaps = f"{classic['width']} x {classic['height']}", int(classic["overlaps"]) + int(vue["overlaps"])
        cells = (classic["template"], classic["nodes"], size, classic["zoom"], vue["zoom"], str(overlaps))
        lines.append(f"| {' | '.join(cells)} |")
    names = {row["template"][:2]: row["template"] for row in tables["canvas"]}
    opened_ones = [
        f"## {names[number]}\n\n"
        + "\n\n".join(
            f"![{about}](images/templates/{number}_{renderer}.jpg)\n\n*{about}*"
            for renderer, about in RENDERERS.items()
        )
        for number in FIRST
    ]
    return "\n\n".join([HEAD.rstrip(), "\n".join(lines), *opened_ones, FOOT])


def _write_page() -> None:
    for name, shot in SHOTS.items():
        _save(shot, IMAGES / f"page_{name}.jpg", QUALITY)


def _write_templates() -> None:
    for number in FIRST:
        for renderer in RENDERERS:
            _save(f"opened_{number}_{renderer}", opened(number, renderer), OPENED_QUALITY, OPENED_WIDTH)
    TEMPLATES_PAGE.write_text(templates_page({renderer: _measured(renderer) for renderer in RENDERERS}), "utf-8")
    echo(f"Wrote {TEMPLATES_PAGE.relative_to(ROOT).as_posix()}.")


def _measured(renderer: str) -> list[dict[str, str]]:
    with open(SEEN / f"templates_{renderer}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _save(shot: str, path: Path, quality: int, width: int = 0) -> None:
    """width: to make it smaller."""
    image = Image.open(SEEN / f"{shot}.png").convert("RGB")
    if width:
        image = image.resize((width, image.height * width // image.width), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=quality, optimize=True)
    echo(f"Wrote {path.relative_to(ROOT).as_posix()}.")


KINDS = {
    "page": Kind(("tests/page/test_page.py", "tests/page/test_point_pairs.py"), _write_page),
    "templates": Kind((LAYOUT,), _write_templates),
}
