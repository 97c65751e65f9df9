"""A real Chromium with the page of the real ComfyUI, shared by the tests of a module."""

import os
import re
import shutil
from collections.abc import Iterator

import pytest
from appearance_transfer.developer.paths import OUT, PACK_NAME
from appearance_transfer.tests.page.user import User
from playwright.sync_api import Browser, ConsoleMessage, Response, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO = "There is no Chromium here. Install one, on Debian by `apt-get install chromium`, to test the page."
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"  # as on a machine without one
SIZE = {"width": 1440, "height": 900}
SETTINGS = {
    "Comfy.Locale": "en",
    "Comfy.TutorialCompleted": True,
    "Comfy.Minimap.Visible": False,
    "Comfy.RightSidePanel.IsOpen": False,
    "Comfy.Templates.SortBy": "alphabetical",  # ComfyUI itself lists them as its disk does
    "LiteGraph.Canvas.MinFontSizeForLOD": 0,  # names are drawn however far away
}
ASKED_FIRST = "/en.md"  # the page looks for docs/NODE/en.md before it takes docs/NODE.md, our English page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with the module: while Playwright lives, its event loop is in the way of our client's."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(HOW_TO)
    options = [NO_NETWORK]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")  # which Chromium cannot make for root
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=options)


@pytest.fixture(scope="module")
def complaints() -> list[str]:
    """What goes wrong in the page because of us: exceptions, our errors on the console, files of ours not found."""
    return []


@pytest.fixture(scope="module")
def settled(browser, server, complaints) -> User:
    """Somebody who has been here before: no first steps are shown to them."""

    def ours(url: str) -> bool:
        return PACK_NAME in url and not url.endswith(ASKED_FIRST)

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error" and ours(message.location.get("url", "")):
            complaints.append(message.text)

    def note_answer(response: Response) -> None:
        if response.status >= 400 and ours(response.url):
            complaints.append(f"{response.status} {response.url}")

    shots = OUT / "page"
    shots.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport=SIZE, locale="en-US")
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", note_console)
    page.on("response", note_answer)
    user = User(page, server.address, shots)
    for setting, value in SETTINGS.items():
        user.prefer(setting, value)
    user.arrive()
    return user


@pytest.fixture(scope="module", params=["canvas", "vue"])
def renderer(settled, request) -> Iterator[str]:
    """What draws the nodes: the canvas, or Vue ("Nodes 2.0")."""
    setting = "Comfy.VueNodes.Enabled"
    settled.prefer(setting, request.param == "vue")
    settled.arrive()
    yield request.param
    settled.prefer(setting, False)
    settled.arrive()


@pytest.fixture
def user(settled, complaints, request) -> Iterator[User]:
    """The same for one test, which fails when the page complains about us; a screenshot of its end is kept."""
    complaints.clear()
    settled.page.keyboard.press("Escape")  # whatever a failed test has left open
    yield settled
    settled.photograph(re.sub(r"\W+", "_", request.node.name.removeprefix("test_")).strip("_"))
    assert not complaints
