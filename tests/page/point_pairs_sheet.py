"""Point pairs on Match Features as a user handles them, and a graph that has them."""

from __future__ import annotations

import json
from typing import Any

from appearance_transfer.developer.gallery import gallery
from playwright.sync_api import Locator

from .user import User

NODE = "AppearanceTransfer_MatchFeatures"
FIND = f"window.app.graph.nodes.find((node) => node.type === '{NODE}')"
WRITE = f"([name, text]) => {{ {FIND}.widgets.find((widget) => widget.name === name).value = text }}"
OPEN = "(graph) => { window.app.nodeOutputs = {}; window.app.loadApiJson(graph, 'point pairs') }"
STRUCTURE_URL = "() => document.querySelector('[data-testid=point-pairs-structure] image')?.href.baseVal ?? ''"


def pocket_graph(method: str = "nearest") -> dict[str, Any]:
    """Two pocket images, matched by a method; PCK says whether one point matches a spot that nobody would find."""
    graph = json.loads(json.dumps(gallery()["05_dift_matching"].graph))
    kept = ("checkpoint", "structure", "appearance", "text_structure", "text_appearance", "features_structure",
            "features_appearance", "match", "pck")  # fmt: skip
    graph = {name: graph[name] for name in kept}
    for role in ("structure", "appearance"):
        graph[f"features_{role}"]["inputs"]["ensemble"] = 1
        graph["match"]["inputs"][f"{role}_points"] = ""  # else the page fills in those of the node before
    graph["pck"]["inputs"] |= {"structure_points": "64, 64", "appearance_points": "96, 64", "alpha": 0.05}
    graph["pck"]["inputs"] |= {"reference": "image"}
    graph["match"]["inputs"]["method"] = method
    return graph


class Sheet:
    """The point pairs of the one Match Features in the page, as a user handles them."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.page = user.page
        self.report = ""

    @property
    def sentence(self) -> str:
        return self.page.get_by_test_id("point-pairs-status").inner_text()

    @property
    def points(self) -> tuple[str, str]:
        """Both texts of the node."""
        return self.user.value(NODE, "structure_points"), self.user.value(NODE, "appearance_points")

    def write(self, structure_points: str, appearance_points: str) -> None:
        """Put texts into the node as its text fields do."""
        self.page.evaluate(WRITE, ["structure_points", structure_points])
        self.page.evaluate(WRITE, ["appearance_points", appearance_points])

    def run(self) -> None:
        """Queue, and wait until the images of this run are shown; `report` is then what PCK says."""
        before = self.page.evaluate(STRUCTURE_URL)
        self.report = self.user.run()["outputs"]["pck"]["text"][0]
        self.page.wait_for_function(f"(before) => ({STRUCTURE_URL})() !== before", arg=before)

    def click(self, side: str, x: float, y: float) -> None:
        """A click at shares of an image's width and height."""
        self.page.mouse.click(*self._at(side, x, y))

    def drag(self, pair: int | str, side: str, x: float, y: float) -> None:
        """Drag an end to shares of its image's width and height."""
        box = self.handle(pair, side).locator(".point").bounding_box()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.down()
        self.page.mouse.move(*self._at(side, x, y), steps=4)
        self.page.mouse.up()

    def handle(self, pair: int | str, side: str) -> Locator:
        handles = self.page.get_by_test_id("point-pairs-handle")
        return handles.and_(self.page.locator(f'[data-pair="{pair}"][data-side={side}]'))

    def press(self, action: str) -> None:
        self.page.get_by_test_id(f"point-pairs-{action}").click()

    def _at(self, side: str, x: float, y: float) -> tuple[float, float]:
        box = self.page.get_by_test_id(f"point-pairs-{side}").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]
