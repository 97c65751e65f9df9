"""One self-contained HTML page: images inside it, numbers below them, what made them at the end."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from PIL import Image

PANEL_PIXELS = 320  # of the longer side of an image in the page
QUALITY = 88
STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:90em}figure{display:inline-block;margin:.4em;vertical-align:top;"
    "width:13em}img{width:100%;image-rendering:pixelated}figcaption{font-size:85%}table{border-collapse:collapse}"
    "td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ccc}"
)


@dataclass(frozen=True)
class Cost:
    """What a run took: samples and forwards of the network, wall time, and the most memory, where it is known."""

    evaluations: int
    forwards: int
    seconds: float
    memory: int | None

    def words(self) -> str:
        words = f"{self.evaluations} evaluations in {self.forwards} forwards, {self.seconds:.1f} s"
        return words if self.memory is None else f"{words}, at most {self.memory / 2**30:.2f} GiB"


@dataclass(frozen=True)
class Panel:
    """An image under what is read below it; failure: why there is none."""

    title: str
    image: Image.Image | None
    about: str = ""
    failure: str = ""


@dataclass(frozen=True)
class PairReport:
    """A structure, an appearance, and what was made of them."""

    name: str
    inputs: Sequence[Panel]
    found: Sequence[Panel]
    transfers: Sequence[Panel]
    costs: Mapping[str, Cost] = field(default_factory=dict)


def page(pairs: Sequence[PairReport], versions: Mapping[str, str], note: str) -> str:
    """The whole page. note: what a reader should know of the checkpoint."""
    parts = [
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>Appearance transfer report</title>"
        f"<style>{STYLE}</style></head><body>",
        f"<h1>Appearance transfer, {len(pairs)} pairs</h1><p>{escape(note)}</p>",
        _costs(pairs),
        *map(_pair, pairs),
        "<h2>Made by</h2><table>",
        *(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in versions.items()),
        "</table></body></html>\n",
    ]
    return "\n".join(parts)


def _pair(pair: PairReport) -> str:
    rows = "\n".join(
        f"<div>{''.join(map(_figure, row))}</div>" for row in ((*pair.inputs, *pair.found), pair.transfers) if row
    )
    return f"<h2>{escape(pair.name)}</h2>\n{rows}"


def _figure(panel: Panel) -> str:
    figure = f"<p>{escape(panel.failure)}</p>" if panel.image is None else f"<img alt='' src='{_inside(panel.image)}'>"
    about = f"<br>{escape(panel.about)}" if panel.about else ""
    return f"<figure>{figure}<figcaption><b>{escape(panel.title)}</b>{about}</figcaption></figure>"


def _inside(image: Image.Image) -> str:
    """The image as an address that holds it."""
    small = image.convert("RGB")
    small.thumbnail((PANEL_PIXELS, PANEL_PIXELS), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")


def _costs(pairs: Sequence[PairReport]) -> str:
    """The cost of each setting in the mean of the pairs that were made with it."""
    names = dict.fromkeys(name for pair in pairs for name in pair.costs)
    head = "<h2>Cost of one transfer, in the mean</h2><table><tr><th></th><th>evaluations</th><th>forwards</th>"
    rows = [f"{head}<th>seconds</th><th>most memory, GiB</th></tr>"]
    for name in names:
        costs = [pair.costs[name] for pair in pairs if name in pair.costs]
        memory = [cost.memory / 2**30 for cost in costs if cost.memory is not None]
        cells = [
            name,
            f"{sum(cost.evaluations for cost in costs) / len(costs):.0f}",
            f"{sum(cost.forwards for cost in costs) / len(costs):.0f}",
            f"{sum(cost.seconds for cost in costs) / len(costs):.1f}",
            f"{max(memory):.2f}" if memory else "not known here",
        ]
        rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return "\n".join([*rows, "</table>"])
