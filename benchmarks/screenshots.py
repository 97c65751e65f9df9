"""The screenshots of README.md, taken by the tests of the page, which keep theirs in out/page.

`python dev.py bench screenshots` runs those tests and writes docs/images/page_NAME.jpg.
"""

import subprocess
import sys
from collections.abc import Sequence

from PIL import Image

from ..developer.cli_output import CliError, echo
from ..developer.installation import Installation
from ..developer.paths import OUT, ROOT

SHOTS = {  # name in docs/images -> the test's name for it
    "templates": "templates",
    "run": "run",
    "help": "help_is_a_click_away",
    "point_pairs": "a_point_is_clicked_and_its_match_dragged_and_the_next_run_follows",
}
QUALITY = 85  # less than 300 KB each


def main(installation: Installation, arguments: Sequence[str]) -> int:
    """Take them all anew. Raises `CliError` where a test fails, since an image of a failure belongs nowhere."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "tests/page", *arguments]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise CliError("The tests of the page do not pass; what they saw lies in out/page.")
    for name, shot in SHOTS.items():
        path = ROOT / "docs" / "images" / f"page_{name}.jpg"
        Image.open(OUT / "page" / f"{shot}.png").convert("RGB").save(path, quality=QUALITY, optimize=True)
        echo(f"Wrote {path.relative_to(ROOT).as_posix()}.")
    return 0
