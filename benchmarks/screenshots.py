"""The screenshots of README.md, taken by the tests of the page, which keep theirs in out/page.

`python dev.py bench screenshots` runs those tests and writes docs/pictures/page_NAME.jpg.
"""

import subprocess
import sys
from collections.abc import Sequence

from PIL import Image

from ..developer.console import Trouble, say
from ..developer.installation import Installation
from ..developer.places import OUT, ROOT

SHOTS = {  # name in docs/pictures -> the test's name for it
    "templates": "templates",
    "run": "run",
    "help": "help_is_a_click_away",
    "point_pairs": "a_point_is_clicked_and_its_match_dragged_and_the_next_run_follows",
}
QUALITY = 85  # less than 300 KB each


def main(installation: Installation, arguments: Sequence[str]) -> int:
    """Take them all anew. Raises `Trouble` where a test fails, since a picture of a failure belongs nowhere."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "tests/page", *arguments]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise Trouble("The tests of the page do not pass; what they saw lies in out/page.")
    for name, shot in SHOTS.items():
        path = ROOT / "docs" / "pictures" / f"page_{name}.jpg"
        Image.open(OUT / "page" / f"{shot}.png").convert("RGB").save(path, quality=QUALITY, optimize=True)
        say(f"Wrote {path.relative_to(ROOT).as_posix()}.")
    return 0
