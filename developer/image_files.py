"""The user's own image files, read once before anything long begins: a bad one is named as the user named it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from .cli_output import CliError


def read_image(file: Path) -> Image.Image:
    """A whole image in RGB. Raises `CliError`, with its name, where there is none or it cannot be read."""
    with _opened(file) as image:
        return image.convert("RGB")


def what_is_wrong(file: Path) -> str | None:
    """Why a file is no image, by its beginning alone: of many files not all can be read whole. None where it is one."""
    try:
        with _opened(file):
            return None
    except CliError as error:
        return str(error)


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    if not file.is_file():
        raise CliError(f"There is no image {file}.")
    try:
        with Image.open(file) as image:
            yield image
    except PermissionError:
        raise CliError(f"{file} may not be read: permission denied.") from None
    except Image.DecompressionBombError:
        raise CliError(f"{file} has more pixels than can be loaded safely: make it smaller.") from None
    except (OSError, SyntaxError, ValueError, EOFError):  # what Pillow raises for damaged files, by format
        raise CliError(
            f"{file} is no image that can be read, or it is damaged: save it again as PNG or JPEG."
        ) from None
