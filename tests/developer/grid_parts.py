"""Folders of images and a server for the tests of dev.py grid."""

from pathlib import Path

from appearance_transfer.developer.grid.pairs import GridImage, images_in
from appearance_transfer.developer.grid.worker import JobResult
from PIL import Image

RESULT = JobResult([b"png"], 1.0)


def folder(position: Path, **shades: str) -> list[GridImage]:
    """A folder of small images, by stem or file name."""
    position.mkdir(parents=True)
    for name, shade in shades.items():
        Image.new("RGB", (8, 8), shade).save(position / (name if "." in name else f"{name}.png"))
    return images_in(str(position))


class FlakyServer:
    """Says whether it comes back, and counts how often it was asked."""

    def __init__(self, address: str, returns: bool = True) -> None:
        self.address, self.returns, self.asked = address, returns, 0

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def revive(self) -> bool:
        self.asked += 1
        return self.returns
