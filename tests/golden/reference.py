"""The tensors of the official implementation: the full set where it is at hand, otherwise the committed part.

What is read and how near it was met is logged, for `python dev.py bench parity`.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

log = logging.getLogger("appearance_transfer.golden")

HERE = Path(__file__).resolve().parent
VARIABLE = "APPEARANCE_TRANSFER_GOLDEN"
ROOT = Path(os.environ.get(VARIABLE, HERE.parents[2] / "shared" / "golden"))
FULL_SET = ROOT / "cross_image_and_eye_for_an_eye"
SPLICE_AND_PIX2PIX_ZERO = ROOT / "splice_and_pix2pix_zero"


def golden(file: str, name: str, full_set: Path = FULL_SET) -> Tensor:
    """Tensor `name` of `<file>.safetensors`. Skips the test, saying so, where neither set has it."""
    log.debug("golden tensor %s of %s", name, file)
    for folder in (full_set, HERE):
        tensors = _read(folder / f"{file}.safetensors")
        if name in tensors:
            return tensors[name]
    pytest.skip(f"{name} of {file}.safetensors is only in the full golden set; not at {full_set}, set {VARIABLE}")


def noted(difference: float) -> float:
    """A difference that a test has measured, as it is."""
    log.debug("difference %s", difference)
    return difference


def near(found: float, expected: float, tolerance: float) -> bool:
    """Whether a number is the wanted one up to a share of it."""
    return noted(abs(found - expected) / abs(expected)) <= tolerance


@cache
def _read(path: Path) -> dict[str, Tensor]:
    return load_file(path) if path.is_file() else {}
