"""Found by the words that people type: nodes in the node search, templates in the template browser.

The ranks are written to out/page/search.csv.
"""

import csv
from collections.abc import Iterator

import pytest
from appearance_transfer.developer.node_list import listed_nodes
from appearance_transfer.developer.paths import ROOT
from appearance_transfer.tests.page.node_search import search_for
from appearance_transfer.tests.page.test_page import WORKFLOWS
from appearance_transfer.tests.page.user import SETTLED

OURS = {node.label for node in listed_nodes()} | {path.stem for path in (ROOT / "subgraphs").glob("*.json")}
FIRST_TEN, PATIENCE = 10, 20
LATE = {
    "unsampler": 20
}  # the page puts every sampler before, by how often it is used, since the word is near to theirs
NODES = (
    "transfer", "style", "style transfer", "appearance transfer", "unsampler", "ip adapter", "reference only",
    "style aligned", "p2p", "material", "texture", "color transfer", "rf inversion",
    "\u98ce\u683c\u8fc1\u79fb", "\u5916\u89c2\u8fc1\u79fb", "\u7eb9\u7406",
)  # fmt: skip
TEMPLATES = ("appearance", "style transfer", "material", "texture", "sdxl", "flux")
BLUEPRINT = "Appearance and style transfer (simple)"


@pytest.fixture(scope="module")
def table(settled) -> Iterator[list[list]]:
    """Rows of where, word, rank of our first, how many were found."""
    rows: list[list] = []
    yield rows
    with open(settled.shots / "search.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["where", "word", "rank of ours", "found"], *rows])


def names_found(user, word: str) -> list[str]:
    """What the node search lists for a word, from the top."""
    items = search_for(user, word).get_by_test_id("result-item")
    found: list[str] = []
    for _ in range(PATIENCE):  # what is listed of the word before goes only after a while
        user.page.wait_for_timeout(SETTLED)
        before, found = found, [text.splitlines()[0] for text in items.all_inner_texts() if text.strip()]
        if found and found == before:
            break
    user.page.keyboard.press("Escape")
    return found


def templates_found(user, word: str) -> list[str]:
    """The names of all templates, ours and others, that the template browser finds for a word, from the top."""
    user.page.locator("[data-testid=side-toolbar] button:has([class*='comfy--template'])").click()
    dialog = user.page.get_by_role("dialog")
    dialog.get_by_text("All Templates", exact=True).first.click()
    cards = dialog.locator("[data-testid^=template-workflow-]")
    cards.first.wait_for()
    user.page.wait_for_timeout(SETTLED)
    every = cards.count()
    dialog.get_by_role("textbox").first.fill(word)
    user.page.wait_for_function("([every, selector]) => document.querySelectorAll(selector).length !== every",
                                arg=[every, "[data-testid^=template-workflow-]"])  # fmt: skip
    user.page.wait_for_timeout(SETTLED)
    found = cards.evaluate_all("(cards) => cards.map(({ dataset }) => dataset.testid)")
    user.page.keyboard.press("Escape")
    return [name.removeprefix("template-workflow-") for name in found]


@pytest.mark.parametrize("word", NODES)
def test_a_node_of_ours_is_among_the_first_ten(user, table, word) -> None:
    found = names_found(user, word)
    rank = next((number for number, name in enumerate(found, start=1) if name in OURS), None)
    table.append(["nodes", word, rank, len(found)])
    assert rank is not None and rank <= LATE.get(word, FIRST_TEN), found[:FIRST_TEN]


def test_the_blueprint_is_found_by_style_transfer(user) -> None:
    assert BLUEPRINT in names_found(user, "style transfer")[:FIRST_TEN]


@pytest.mark.parametrize("word", TEMPLATES)
def test_a_template_of_ours_is_found_among_all(user, table, word) -> None:
    found = templates_found(user, word)
    rank = next((number for number, name in enumerate(found, start=1) if name in WORKFLOWS), None)
    table.append(["templates", word, rank, len(found)])
    assert rank is not None, found[:FIRST_TEN]
