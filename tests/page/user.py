"""What a user does in the page with mouse and keyboard, and what there is to see afterwards.

Nodes are drawn on a canvas, so the page is asked where one stands before the mouse goes there. A node is named by its
type; of several, the one that was made first is meant.
"""

import json
from pathlib import Path
from typing import Any

from appearance_transfer.developer.paths import PACK_NAME
from playwright.sync_api import ElementHandle, Locator, Page
from playwright.sync_api import TimeoutError as Late

ARRIVES_WITHIN = 60_000  # milliseconds, as all times here
ANSWERS_WITHIN = 10_000
RUNS_WITHIN = 240_000  # ten seconds on an idle machine

FIND = """
    const nodes = app.graph.nodes.filter((node) => node.type === kind);
    const [node] = nodes.sort((one, other) => one.id - other.id); // a click changes the order in the graph
"""
CENTER_ON = f"""([kind, scale]) => {{
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
SHOW_ALL = """() => {
    const sides = app.graph.nodes.map(({ pos, size }) => [...pos, pos[0] + size[0], pos[1] + size[1]]);
    const [left, top] = [0, 1].map((side) => Math.min(...sides.map((box) => box[side])));
    const [right, bottom] = [2, 3].map((side) => Math.max(...sides.map((box) => box[side])));
    const { ds } = app.canvas;
    ds.scale = Math.min(1300 / (right - left), 780 / (bottom - top + 60));
    ds.offset = [80 / ds.scale - left, 60 / ds.scale - top + 40];
    app.canvas.draw(true, true);
}"""
BOXES = """() => {
    const { canvas, ds } = app.canvas;
    const { left, top } = canvas.getBoundingClientRect();
    const drawn = (id) => {
        const box = document.querySelector(`[data-node-id="${id}"]`).getBoundingClientRect();
        const at = (x, y) => [(x - left) / ds.scale - ds.offset[0], (y - top) / ds.scale - ds.offset[1]];
        return [...at(box.left, box.top), ...at(box.right, box.bottom)];
    };
    const sized = ({ pos: [x, y], size }) => [x, y - LiteGraph.NODE_TITLE_HEIGHT, x + size[0], y + size[1]];
    return app.graph.nodes.map((node) => [node.type, ...(LiteGraph.vueNodesMode ? drawn(node.id) : sized(node))]);
}"""
SETTLED = 500  # milliseconds in which Nodes 2.0 gives every node its size, and the template browser adds cards
TEXTS = "appearance_transfer_texts"
WIDGET = f"""(id) => {{
    const node = id.split(":").reduce((node, part) => (node.subgraph ?? node).getNodeById(part), app.rootGraph);
    return node?.widgets?.find(({{ name }}) => name === "{TEXTS}")?.element ?? null;
}}"""
VALUE = f"([kind, widget]) => {{ {FIND} return node.widgets.find(({{ name }}) => name === widget).value; }}"
SHOWS = f"([kind, file]) => {{ {FIND} return node.imgs?.some((i) => i.naturalWidth && i.src.includes(file)); }}"
IS_BLANK = "() => app.graph.nodes.length === 0"
OPEN_TABS = "() => app.extensionManager.workflow.openWorkflows.length"
ONE_BLANK_MORE = "(tabs) => app.extensionManager.workflow.openWorkflows.length > tabs && app.graph.nodes.length === 0"
OPEN_NOW = "() => [app.extensionManager.workflow.activeWorkflow.filename, app.graph.nodes.length]"
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


class User:
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
        """The cards of our templates; the page adds more of them as one scrolls down."""
        self.page.locator("[data-testid=side-toolbar] button:has([class*='comfy--template'])").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_text(PACK_NAME, exact=True).first.click()
        cards = dialog.locator("[data-testid^=template-workflow-]")
        cards.first.wait_for()
        count = 0
        while count < cards.count():
            count = cards.count()
            cards.last.scroll_into_view_if_needed()
            self.page.wait_for_timeout(SETTLED)
        return cards

    def open_template(self, name: str, nodes: int) -> None:
        """Open a template, which has so many nodes, from a blank tab: else the page may take one where it is open."""
        tabs = self.page.evaluate(OPEN_TABS)
        self.page.locator("button:has(.pi-plus)").first.click()
        self.page.wait_for_function(ONE_BLANK_MORE, arg=tabs)
        card = self.browse_templates().and_(self.page.get_by_test_id(f"template-workflow-{name}"))
        card.click()
        try:
            self.page.get_by_role("dialog").wait_for(state="hidden", timeout=ANSWERS_WITHIN)
        except Late:  # the page laid its cards out anew under the mouse, and the click was of none of them
            card.click()
        self.wait_for_workflow(name, nodes)

    def wait_for_workflow(self, name: str, nodes: int) -> None:
        """Wait until a workflow of this name and so many nodes is the one to be seen."""
        try:
            self.page.wait_for_function(OPENED, arg=[name, nodes], timeout=ARRIVES_WITHIN)
        except Late as error:
            self.photograph(f"not_{name}")
            raise AssertionError(f"Not {name} with {nodes} nodes, but {self.page.evaluate(OPEN_NOW)}.") from error

    def choose_tab(self, name: str) -> None:
        """Click the tab of a workflow that is open."""
        self.page.locator(".workflow-label", has_text=name).first.click()
        self.page.wait_for_function(
            "(name) => app.extensionManager.workflow.activeWorkflow.filename.startsWith(name)", arg=name
        )

    def show_all(self) -> None:
        """Move and scale the canvas until every node is to be seen."""
        self.page.evaluate(SHOW_ALL)

    def overlaps(self) -> list[str]:
        """Which nodes cover each other, as the page has drawn them."""
        self.show_all()
        self.page.wait_for_timeout(SETTLED)
        boxes = self.page.evaluate(BOXES)
        return [
            f"{kind} to {bottom:.0f}, {other} from {box[1]:.0f}"
            for kind, left, top, right, bottom in boxes
            for other, *box in boxes
            if left < box[2] and box[0] < right and top < box[1] < bottom
        ]

    def center_on(self, kind: str, scale: float = 1.0) -> None:
        """Move the canvas until the node is in its middle."""
        self.page.evaluate(CENTER_ON, [kind, scale])

    def choose(self, kind: str) -> None:
        """Select a node by a click on its title."""
        self.center_on(kind)
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
        self.center_on(kind)
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
        """Click Run and wait for the end; what ComfyUI keeps of it: `prompt`, `outputs`, `status`."""
        before = self.page.evaluate(LAST_RUN)
        self.page.get_by_test_id("queue-button").click()
        return self.page.evaluate(NEXT_RUN, [before, RUNS_WITHIN])

    def wait_for_image(self, kind: str, file: str) -> None:
        """Wait until a node shows the image of this file name."""
        self.page.wait_for_function(SHOWS, arg=[kind, file])

    def save_as(self, name: str) -> None:
        """Save the workflow by Ctrl+S, under a name of its own."""
        self.page.keyboard.press("Control+s")
        self.page.get_by_role("dialog").locator("input").fill(name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(SAVED_AS, arg=name)

    def drop(self, image: str, content: bytes, nodes: int) -> None:
        """Drag a PNG from the desktop onto the canvas, whose workflow of so many nodes then opens in a tab."""
        held = self.page.evaluate_handle(HELD_FILE, [image, list(content)])
        self.page.dispatch_event("#graph-canvas", "drop", {"dataTransfer": held})
        self.wait_for_workflow(Path(image).stem, nodes)
