"""The object on Find Object as a user handles it, and a graph that has one."""

from __future__ import annotations

import re
from typing import Any

from appearance_transfer.pocket.checkpoint import DEFAULT_NETWORK
from playwright.sync_api import Locator

from .user import User

NODE = "AppearanceTransfer_FindObject"
FIND = f"window.app.graph.nodes.find((node) => node.type === '{NODE}')"
WRITE = f"([name, text]) => {{ {FIND}.widgets.find((widget) => widget.name === name).value = text }}"
OPEN = "(graph) => { window.app.nodeOutputs = {}; window.app.loadApiJson(graph, 'object seeds') }"
OUTLINE = "() => document.querySelector('[data-testid=object-seeds-outline] path')?.getAttribute('d') ?? ''"
SIDE = 128


def pocket_graph() -> dict[str, Any]:
    """The object of one pocket scene; both nodes of points are empty, else the page fills in those of before."""
    node = lambda kind, **inputs: {"class_type": kind, "inputs": inputs}  # noqa: E731
    ours = "AppearanceTransfer_"
    scene = {"seed": 3, "size": SIDE, "species": "any", "coat": "any", "view": "any"}
    return {
        "checkpoint": node(ours + "LoadPocketCheckpoint", network=DEFAULT_NETWORK, precision="fp32"),
        "scene": node(ours + "PocketScene", **scene),
        "text": node("CLIPTextEncode", text="a photo of an animal", clip=["checkpoint", 1]),
        "find": node(
            NODE, image=["scene", 0], model=["checkpoint", 0], vae=["checkpoint", 2], positive=["text", 0],
            object_points="", background_points="", seed=42,
        ),
    }  # fmt: skip


class Sheet:
    """The object of the one Find Object in the page, as a user handles it."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.page = user.page

    @property
    def sentence(self) -> str:
        return self.page.get_by_test_id("object-seeds-status").inner_text()

    @property
    def covers(self) -> int:
        """Percents of the image, as the sentence says it."""
        found = re.search(r"covers (\d+)%", self.sentence)
        assert found, self.sentence
        return int(found[1])

    @property
    def points(self) -> tuple[str, str]:
        return self.user.value(NODE, "object_points"), self.user.value(NODE, "background_points")

    @property
    def outline(self) -> str:
        return self.page.evaluate(OUTLINE)

    def write(self, name: str, text: str) -> None:
        """Put a text into the node as its text field does."""
        self.page.evaluate(WRITE, [name, text])

    def seed(self, number: int) -> Locator:
        return self.page.get_by_test_id("object-seeds-seed").and_(self.page.locator(f'[data-seed="{number}"]'))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """On the screen, the point at shares of the image's width and height; the image is square, as is its box."""
        box = self.page.get_by_test_id("object-seeds-image").bounding_box()
        side = min(box["width"], box["height"])
        left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
        return left + x * side, top + y * side

    def click(self, x: float, y: float, **keys: Any) -> None:
        if keys.get("shift"):
            self.page.keyboard.down("Shift")
        self.page.mouse.click(*self.at(x, y))
        if keys.get("shift"):
            self.page.keyboard.up("Shift")

    def press(self, action: str) -> None:
        self.page.get_by_test_id(f"object-seeds-{action}").click()

    def wait_for_another(self, outline: str) -> str:
        """Wait for an outline that differs; it is given."""
        self.page.wait_for_function(f"(before) => ({OUTLINE})() !== before", arg=outline)
        return self.outline
