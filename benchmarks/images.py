"""Every image of the README, the templates, the help pages and the docs, made anew by one command.

`python dev.py bench images [KIND ...]` runs, each in a process of its own: demo (docs/images/demo.png and
demo_grid.jpg), thumbnails (workflows/NAME.jpg), help_images (web/docs/images/NODE.jpg),
photograph_panels (docs/images/photographs.jpg), screenshots (docs/images/page_NAME.jpg, docs/templates.md with its
images) and gallery (docs/images/gallery_SHEET.jpg). The images of docs/evaluation.md lie in benchmarks/results and come
with their numbers from `python dev.py bench`.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence

from PIL import Image

from ..developer.cli_output import CliError, echo
from ..developer.demo import GRID, MATCHES
from ..developer.installation import Installation
from ..developer.paths import OUT, ROOT, contained_environment

DEMO = "demo"
GALLERY = "gallery"
KINDS = (DEMO, "thumbnails", "help_images", "photograph_panels", "screenshots", GALLERY)
WORDS = {DEMO: ["demo", "--out", str(OUT / "images")], GALLERY: ["bench", GALLERY, "--anew"]}
DEMO_IMAGE, DEMO_GRID = (ROOT / "docs" / "images" / name for name in ("demo.png", "demo_grid.jpg"))


def main(installation: Installation, arguments: Sequence[str]) -> int:
    """Make the kinds that are named, or all. Raises `CliError` where one of them does not finish."""
    if unknown := set(arguments) - set(KINDS):
        raise CliError(f"There are no images {', '.join(sorted(unknown))}; there are: {', '.join(KINDS)}.")
    for kind in arguments or KINDS:
        words = WORDS.get(kind, ["bench", kind])
        echo(f"Making {kind}.")
        command = [sys.executable, str(ROOT / "dev.py"), *words]
        if subprocess.run(command, cwd=ROOT, env=contained_environment()).returncode:
            raise CliError(f"{kind} did not finish; what it said stands above.")
        if kind == DEMO:
            shutil.copyfile(OUT / "images" / MATCHES, DEMO_IMAGE)
            Image.open(OUT / "images" / GRID).convert("RGB").save(DEMO_GRID, quality=85, optimize=True)
            echo(f"Wrote {DEMO_IMAGE.name} and {DEMO_GRID.name} in docs/images.")
    return 0
