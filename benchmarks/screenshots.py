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

NAMES = ("templates", "run", "point_pairs")
QUALITY = 85  # less than 300 KB each


def main(installation: Installation, arguments: Sequence[str]) -> int:
    """Take them all anew. Raises `Trouble` where a test fails, since a picture of a failure belongs nowhere."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "tests/page", *arguments]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise Trouble("The tests of the page do not pass; what they saw lies in out/page.")
    for name in NAMES:
        path = ROOT / "docs" / "pictures" / f"page_{name}.jpg"
        Image.open(OUT / "page" / f"{name}.png").convert("RGB").save(path, quality=QUALITY, optimize=True)
        say(f"Wrote {path.relative_to(ROOT).as_posix()}.")
    return 0
