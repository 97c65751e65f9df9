"""Which images there are: each an entry of a sheet, with a label, which is a method or a value of a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...attention.contrast import CONTRAST
from ...attention.match_prior import MATCH_WIDTH
from ...attention.windows import DEVIATION as DEVIATION_WINDOW
from ...inversion.defaults import STEPS

PAIRS, SIZE = 8, 256
"""The first held-out pairs, and the pixels of their images."""
METHODS, EDITS = "methods", "edits"
COLOR_TRANSFER, CROSS_IMAGE, REARRANGEMENT, DEVIATION, FLOW_EDIT, DEVIATION_ON_IT = COLUMNS = (
    "color transfer",
    "Cross-Image Attention",
    "Semantic Rearrangement",
    "Latent Deviation",
    "FlowEdit, transformer",
    "Latent Deviation, transformer",
)
EDITED = "edited"


@dataclass(frozen=True)
class Series:
    """One parameter at several values, on the first pair; default: the value that nobody has to set."""

    name: str
    values: Sequence[float]
    default: float

    @property
    def labels(self) -> dict[str, float]:
        """What stands above the image of each value."""
        return {f"{value:g}" + ", the default" * (value == self.default): value for value in self.values}


SERIES = (
    Series("strength", (0.0, 0.25, 0.5, 0.75, 1.0), 1.0),
    Series("width", (0.0, 0.03, MATCH_WIDTH, 0.2, 0.5), MATCH_WIDTH),
    Series("contrast", (0.5, 1.0, CONTRAST, 2.5, 4.0), CONTRAST),
    Series("steps", (4, 8, STEPS, 50, 100), STEPS),
    Series("window", (0.3, DEVIATION_WINDOW.end_percent, 0.6, 0.8, 1.0), DEVIATION_WINDOW.end_percent),
    Series("position", (0.0, 0.25, 0.5, 0.75, 1.0), 0.0),
)
Entry = tuple[str, str]
"""The sheet, and the label on it."""


def entries() -> list[Entry]:
    """All there are, those of one network next to each other."""
    of_series = [(series.name, label) for series in SERIES for label in series.labels]
    on_unet, on_transformer = COLUMNS[:4], COLUMNS[4:]
    return [
        *((METHODS, label) for label in on_unet),
        *(entry for entry in of_series if entry[0] != "position"),
        (EDITS, EDITED),
        *((METHODS, label) for label in on_transformer),
        *(entry for entry in of_series if entry[0] == "position"),
    ]
