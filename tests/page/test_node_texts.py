"""Texts on nodes, read as they are rendered, on the canvas and in Nodes 2.0: what was found, and what was said."""

import itertools
import re

import pytest
from appearance_transfer.tests.page.user import IS_BLANK, WIDGET
from appearance_transfer.tests.server.warned_graph import ADAIN, MATCH, REPORTS, WARNINGS, warned_graph
from playwright.sync_api import expect

OPEN = "([graph, name]) => app.loadApiJson(graph, name)"
SIGN = "\N{WARNING SIGN}"
TOAST = ".p-toast-message-warn, [data-testid=toast]"  # of the pinned page, and of newer ones
POSITION = """(id) => {
    if (LiteGraph.vueNodesMode) {
        const box = document.querySelector(`[data-node-id="${id}"]`).getBoundingClientRect();
        return [box.left, box.top, box.right, box.bottom];
    }
    const node = app.graph.getNodeById(id);
    const { ds, canvas } = app.canvas;
    const { left, top } = canvas.getBoundingClientRect();
    const at = (x, y) => [left + (x + ds.offset[0]) * ds.scale, top + (y + ds.offset[1]) * ds.scale];
    return [...at(...node.pos), ...at(node.pos[0] + node.size[0], node.pos[1] + node.size[1])];
}"""
KEPT = """async () => {
    const { output } = await app.graphToPrompt();
    return [JSON.stringify(app.graph.serialize()), Object.values(output).map(({ inputs }) => Object.keys(inputs))];
}"""
GROUP = "(ids) => { app.graph.convertToSubgraph(new Set(ids.map((id) => app.graph.getNodeById(id)))); }"
HOLDING = "() => String(app.graph.nodes.find(({ subgraph }) => subgraph).id)"
RUNS = itertools.count()


class Texts:
    """The texts on the nodes of the graph, as a user reads them."""

    def __init__(self, user) -> None:
        """A tab of its own with the graph, of which ComfyUI has no results of an earlier run."""
        self.user = user
        self.page = user.page
        number = next(RUNS)
        self.name = f"warned {number}"
        graph = warned_graph()
        for scene in ("structure", "appearance"):
            graph[scene]["inputs"]["seed"] += number
        self.page.evaluate(OPEN, [graph, self.name])
        self.page.wait_for_function("(count) => app.graph.nodes.length === count", arg=len(graph))
        self.user.show_all()

    def run(self) -> None:
        assert self.user.run()["status"]["status_str"] == "success"

    def of(self, node: str) -> list[tuple[str, str]]:
        return self.user.texts(node)

    def wait(self, node: str, kind: str) -> None:
        """Until a node shows a text of this kind."""
        element = self.user.wait_for_texts(node)
        element.wait_for_selector(f"p.{kind}")

    def check(self) -> None:
        """Every result is there, and every warning before everything else."""
        for node, report in REPORTS.items():
            self.wait(node, "result")
            (found,) = [text for kind, text in self.of(node) if kind == "result"]
            assert re.fullmatch(report, found), (node, found)
        for node, warning in WARNINGS.items():
            self.wait(node, "warning")
            kind, text = self.of(node)[0]
            assert (kind, text.replace("\N{VARIATION SELECTOR-15}\N{NO-BREAK SPACE}", " ")) == (
                "warning", f"{SIGN} {warning}"
            )  # fmt: skip
        assert [kind for kind, _ in self.of("report")] == ["result", "note"]
        assert [kind for kind, _ in self.of("invert")] == ["note"]
        assert not self.of("checkpoint")


@pytest.fixture
def texts(renderer, user) -> Texts:
    """After a run."""
    texts = Texts(user)
    texts.run()
    return texts


def test_results_and_messages_are_to_be_read_on_their_nodes(texts) -> None:
    texts.check()
    for node in (*REPORTS, *WARNINGS):
        left, top, right, bottom = texts.page.evaluate(POSITION, node)
        box = texts.user.wait_for_texts(node).bounding_box()
        assert left <= box["x"] and box["x"] + box["width"] <= right + 1
        assert top <= box["y"] and box["y"] + box["height"] <= bottom + 1
    warning, note = (
        texts.user.wait_for_texts(node).query_selector("p").evaluate("(p) => getComputedStyle(p).backgroundColor")
        for node in (ADAIN, "invert")
    )
    assert warning != note


def test_they_survive_a_change_of_the_tab_and_a_reload(texts) -> None:
    texts.page.locator("button:has(.pi-plus)").first.click()
    texts.page.wait_for_function(IS_BLANK)
    assert not texts.page.get_by_test_id("node-texts").count()
    texts.user.choose_tab(texts.name)
    texts.check()
    texts.user.arrive()
    texts.user.show_all()
    texts.check()


def test_a_warning_goes_when_its_reason_has_gone(texts) -> None:
    texts.wait(ADAIN, "warning")
    texts.wait(MATCH, "warning")
    texts.page.evaluate("() => { app.graph.getNodeById('black').widgets[0].value = 1; }")
    texts.run()
    texts.page.wait_for_function(f"() => !({WIDGET})('{ADAIN}')")
    assert texts.of(MATCH)[0][0] == "warning"  # it has not run again, and is as it was


def test_neither_workflow_nor_prompt_keeps_them(texts) -> None:
    texts.check()
    workflow, inputs = texts.page.evaluate(KEPT)
    assert "appearance_transfer_texts" not in str(inputs)
    assert "appearance_transfer_texts" not in workflow
    assert "AdaIN:" not in workflow


def test_a_warning_in_a_closed_subgraph_is_shown_over_the_page_and_on_its_outside(renderer, user) -> None:
    texts = Texts(user)
    texts.page.evaluate(GROUP, ["adain", ADAIN])
    texts.run()
    toast = texts.page.locator(TOAST).filter(has_text=WARNINGS[ADAIN])
    expect(toast).to_contain_text(WARNINGS[ADAIN])
    expect(toast).to_have_count(1)
    toast.get_by_role("button").click()
    expect(toast).to_have_count(0)
    if renderer == "vue":  # which draws none but the widgets of inputs on a node that holds others
        return
    holding = texts.page.evaluate(HOLDING)
    texts.wait(holding, "warning")
    (said,) = [text for kind, text in texts.of(holding) if kind == "warning"]
    assert WARNINGS[ADAIN] in said.replace("\N{NO-BREAK SPACE}", " ")
