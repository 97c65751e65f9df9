"""What a person does in the page with mouse and keyboard, and what there is to see afterwards.

Nodes are drawn on a canvas, so the page is asked where one stands before the mouse goes there. A node is named by its
type; of several, the one that was made first is meant.
"""

import json
from pathlib import Path
from typing import Any

from appearance_transfer.developer.places import PACK_NAME
from playwright.sync_api import ElementHandle, Locator, Page

ARRIVES_WITHIN = 60_000  # milliseconds, as all times here
RUNS_WITHIN = 240_000  # ten seconds on an idle machine

FIND = """
    const nodes = app.graph.nodes.filter((node) => node.type === kind);
    const [node] = nodes.sort((one, other) => one.id - other.id); // a click changes the order in the graph
"""
LOOK_AT = f"""([kind, scale]) => {{
    {FIND}
    const {{ canvas, ds }} = app.canvas;
    const {{ width, height }} = canvas.getBoundingClientRect();
    const middle = [width, height].map((side, axis) => (side / scale - node.size[axis]) / 2);
    ds.scale = scale;
    ds.offset = middle.map((margin, axis) => margin - node.pos[axis]);
    app.canvas.draw(true, true);
}}"""
ON_SCREEN = f"""([kind, widget]) => {{
    {FIND}
    const {{ canvas, ds }} = app.canvas;
    const {{ left, top }} = canvas.getBoundingClientRect();
    const found = node.widgets?.find(({{ name }}) => name === widget);
    const [x, y] = found ? [node.size[0] / 2, found.y + 10] : [60, -LiteGraph.NODE_TITLE_HEIGHT / 2];
    return [left + (node.pos[0] + x + ds.offset[0]) * ds.scale, top + (node.pos[1] + y + ds.offset[1]) * ds.scale];
}}"""
TEXTS = "appearance_transfer_texts"
WIDGET = f"""(id) => {{
    const node = id.split(":").reduce((node, part) => (node.subgraph ?? node).getNodeById(part), app.rootGraph);
    return node?.widgets?.find(({{ name }}) => name === "{TEXTS}")?.element ?? null;
}}"""
VALUE = f"([kind, widget]) => {{ {FIND} return node.widgets.find(({{ name }}) => name === widget).value; }}"
SHOWS = f"([kind, file]) => {{ {FIND} return node.imgs?.some((i) => i.naturalWidth && i.src.includes(file)); }}"
IS_BLANK = "() => app.graph.nodes.length === 0"
OPENED = """([name, nodes]) =>
    app.extensionManager.workflow.activeWorkflow.filename.startsWith(name) && app.graph.nodes.length === nodes"""
SAVED_AS = """(name) => {
    const { path, isModified } = app.extensionManager.workflow.activeWorkflow;
    return path === `workflows/${name}.json` && !isModified;
}"""
LAST_RUN = """async () => Object.keys(await (await app.api.fetchApi("/history")).json()).at(-1) ?? null"""
NEXT_RUN = """async ([before, patience]) => {
    for (const since = Date.now(); Date.now() - since < patience; ) {
        const history = await (await app.api.fetchApi("/history")).json();
        const [identity, record] = Object.entries(history).at(-1) ?? [before, null];
        if (identity !== before) return record;
        await new Promise((wake) => setTimeout(wake, 250));
    }
    throw new Error("The run did not end in time.");
}"""
HELD_FILE = """([name, bytes]) => {
    const held = new DataTransfer();
    held.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
    return held;
}"""


class Person:
    """Somebody at one tab of the browser. shots: the folder for what they see."""

    def __init__(self, page: Page, address: str, shots: Path) -> None:
        self.page = page
        self.address = address
        self.shots = shots

    def arrive(self) -> None:
        """Open the page, or load it anew."""
        self.page.goto(self.address)
        self.page.wait_for_function(
            "() => window.app?.vueAppReady && app.extensionManager.workflow.activeWorkflow", timeout=ARRIVES_WITHIN
        )

    def prefer(self, setting: str, value: bool | str | int) -> None:
        """Keep a setting of the page; it shows from the next arrival on."""
        answer = self.page.request.post(f"{self.address}/api/settings/{setting}", data=json.dumps(value))
        assert answer.ok, f"{setting}: {answer.status_text}"

    def photograph(self, name: str) -> None:
        self.page.screenshot(path=self.shots / f"{name}.png")

    def browse_templates(self) -> Locator:
        """The cards of our templates."""
        self.page.locator("[data-testid=side-toolbar] button:has([class*='comfy--template'])").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_text(PACK_NAME, exact=True).first.click()
        return dialog.locator("[data-testid^=template-workflow-]")

    def open_template(self, name: str, nodes: int) -> None:
        """Open a template, which has so many nodes, from a blank tab: else the page may take one where it is open."""
        self.page.locator("button:has(.pi-plus)").first.click()
        self.page.wait_for_function(IS_BLANK)
        self.browse_templates().and_(self.page.get_by_test_id(f"template-workflow-{name}")).click()
        self.wait_for_workflow(name, nodes)

    def wait_for_workflow(self, name: str, nodes: int) -> None:
        """Wait until a workflow of this name and so many nodes is the one to be seen."""
        self.page.wait_for_function(OPENED, arg=[name, nodes])

    def choose_tab(self, name: str) -> None:
        """Click the tab of a workflow that is open."""
        self.page.locator(".workflow-label", has_text=name).first.click()
        self.page.wait_for_function(
            "(name) => app.extensionManager.workflow.activeWorkflow.filename.startsWith(name)", arg=name
        )

    def look_at(self, kind: str, scale: float = 1.0) -> None:
        """Move the canvas until the node is in its middle."""
        self.page.evaluate(LOOK_AT, [kind, scale])

    def choose(self, kind: str) -> None:
        """Select a node by a click on its title."""
        self.look_at(kind)
        self.page.mouse.click(*self.page.evaluate(ON_SCREEN, [kind, None]))

    def wait_for_texts(self, node: str) -> ElementHandle:
        """Wait until there are texts of ours on the node of this id."""
        element = self.page.wait_for_function(WIDGET, arg=node).as_element()
        assert element
        element.wait_for_element_state("visible")
        return element

    def texts(self, node: str) -> list[tuple[str, str]]:
        """The texts to be read on the node of this id: what kind each is, and what it says with its sign."""
        element = self.page.evaluate_handle(WIDGET, node).as_element()
        if element is None or not element.is_visible():
            return []
        return [(part.get_attribute("class"), part.inner_text()) for part in element.query_selector_all("p")]

    def set_number(self, kind: str, widget: str, number: float) -> None:
        """Click a number on a node and type another."""
        self.look_at(kind)
        self.page.mouse.click(*self.page.evaluate(ON_SCREEN, [kind, widget]))
        self.page.locator(".graphdialog input").fill(str(number))
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(
            f"([kind, widget, number]) => ({VALUE})([kind, widget]) === number", arg=[kind, widget, number]
        )

    def value(self, kind: str, widget: str) -> Any:
        return self.page.evaluate(VALUE, [kind, widget])

    def read_help(self, kind: str) -> Locator:
        """The help page of a node, opened from the button over it."""
        self.choose(kind)
        self.page.get_by_test_id("info-button").click()
        return self.page.locator(".node-help-content")

    def run(self) -> dict[str, Any]:
        """Click Run and wait for the end; what the host keeps of it: `prompt`, `outputs`, `status`."""
        before = self.page.evaluate(LAST_RUN)
        self.page.get_by_test_id("queue-button").click()
        return self.page.evaluate(NEXT_RUN, [before, RUNS_WITHIN])

    def wait_for_picture(self, kind: str, file: str) -> None:
        """Wait until a node shows the picture of this file name."""
        self.page.wait_for_function(SHOWS, arg=[kind, file])

    def save_as(self, name: str) -> None:
        """Save the workflow by Ctrl+S, under a name of its own."""
        self.page.keyboard.press("Control+s")
        self.page.get_by_role("dialog").locator("input").fill(name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(SAVED_AS, arg=name)

    def drop(self, picture: str, content: bytes, nodes: int) -> None:
        """Drag a PNG from the desktop onto the canvas, whose workflow of so many nodes then opens in a tab."""
        held = self.page.evaluate_handle(HELD_FILE, [picture, list(content)])
        self.page.dispatch_event("#graph-canvas", "drop", {"dataTransfer": held})
        self.wait_for_workflow(Path(picture).stem, nodes)
