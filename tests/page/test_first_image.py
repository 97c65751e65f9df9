"""How far it is from an empty page to the first image, in clicks and seconds: written to out/page/first_image.csv."""

import csv
import time
from collections.abc import Iterator

import pytest
from appearance_transfer.developer.cli_output import echo
from appearance_transfer.developer.paths import PACK_NAME
from appearance_transfer.tests.page.conftest import SIZE
from appearance_transfer.tests.page.test_page import FIRST, WORKFLOWS
from appearance_transfer.tests.page.user import RUNS_WITHIN, SETTLED, SHOWS, User

MOST_CLICKS = 3
COUNT = "() => { window.clicks = 0; addEventListener('click', (e) => { window.clicks += e.isTrusted; }, true); }"


@pytest.fixture(scope="module")
def table(settled) -> Iterator[list[list]]:
    """Rows of who, what was done last, clicks and seconds until then; printed, too."""
    rows: list[list] = [["who", "until", "clicks", "seconds"]]
    yield rows
    with open(settled.shots / "first_image.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    for row in rows:
        echo("\t".join(map(str, row)))


class Clock:
    """Clicks and seconds of one user from now on."""

    def __init__(self, user: User, who: str) -> None:
        self.user, self.who, self.rows = user, who, []
        anew = {"unload_models": True, "free_memory": True}  # as if nothing had run before
        assert user.page.request.post(f"{user.address}/free", data=anew).ok
        user.page.evaluate(COUNT)
        self.began = time.monotonic()

    def note(self, until: str) -> None:
        self.rows.append([self.who, until, self.clicks, round(time.monotonic() - self.began, 1)])

    @property
    def clicks(self) -> int:
        return self.user.page.evaluate("() => window.clicks")


@pytest.fixture
def newcomer(browser, server, settled) -> Iterator[User]:
    """Somebody whose ComfyUI has never been opened: its page begins with the templates."""
    settled.prefer("Comfy.TutorialCompleted", False)
    context = browser.new_context(viewport=SIZE, locale="en-US")
    user = User(context.new_page(), server.address, settled.shots)
    user.arrive()
    yield user
    context.close()
    settled.prefer("Comfy.TutorialCompleted", True)


def run_and_see(clock: Clock) -> None:
    """Click Run, and wait until the image is to be seen."""
    page = clock.user.page
    page.get_by_test_id("queue-button").click()
    page.wait_for_function(SHOWS, arg=["SaveImage", ""], timeout=RUNS_WITHIN)
    clock.note("the image is there")


def test_three_clicks_on_a_new_installation(newcomer, table) -> None:
    """The pack among the templates, the first of its cards, Run."""
    dialog = newcomer.page.get_by_role("dialog")
    dialog.wait_for()
    clock = Clock(newcomer, "new here: the templates are open")
    dialog.get_by_text(PACK_NAME, exact=True).first.click()
    newcomer.page.get_by_test_id(f"template-workflow-{FIRST}").click()
    newcomer.wait_for_workflow(FIRST, len(WORKFLOWS[FIRST]["nodes"]))
    clock.note("the template is open")
    run_and_see(clock)
    table += clock.rows
    newcomer.photograph("first_image")
    assert clock.clicks <= MOST_CLICKS


def test_three_clicks_and_a_word_from_an_empty_canvas(user, table) -> None:
    """Templates, a word, the card, Run."""
    user.page.locator("button:has(.pi-plus)").first.click()
    user.page.wait_for_function("() => app.graph.nodes.length === 0")
    clock = Clock(user, "an empty canvas")
    user.page.locator("[data-testid=side-toolbar] button:has([class*='comfy--template'])").click()
    dialog = user.page.get_by_role("dialog")
    dialog.get_by_role("textbox").first.fill("appearance transfer")
    user.page.wait_for_timeout(SETTLED)  # the cards are laid out anew
    dialog.get_by_test_id(f"template-workflow-{FIRST}").click()
    user.wait_for_workflow(FIRST, len(WORKFLOWS[FIRST]["nodes"]))
    clock.note("the template is open")
    run_and_see(clock)
    table += clock.rows
    assert clock.clicks <= MOST_CLICKS
