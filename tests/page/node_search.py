"""The search for nodes that a double click on the canvas opens."""

from appearance_transfer.tests.page.user import IS_BLANK, User
from playwright.sync_api import Locator
from playwright.sync_api import TimeoutError as Late

TRIES, OPENS_WITHIN = 3, 5_000  # milliseconds


def search_for(user: User, word: str) -> Locator:
    """The open search on a blank canvas, with a word in it."""
    if not user.page.evaluate(IS_BLANK):
        user.page.locator("button:has(.pi-plus)").first.click()
        user.page.wait_for_function(IS_BLANK)
    search = user.page.get_by_role("dialog")
    for _ in range(TRIES):  # the canvas takes no notice of a mouse that comes while it is drawn anew
        user.page.mouse.dblclick(720, 450)
        try:
            search.get_by_role("combobox").wait_for(timeout=OPENS_WITHIN)
            break
        except Late:
            continue
    search.get_by_role("combobox").fill(word)  # keys pressed before it is open are lost
    return search
