"""A person of the shop in front of the browser: what she clicks, and what she reads."""

import re
from pathlib import Path

from django.utils import translation
from playwright.sync_api import Locator, Page, Response, expect

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
# Longer than any page takes on a busy machine, and than the pages take to start.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
# What is no fault: the answer of a page that refuses, and a question that a newer one has replaced.
HARMLESS = re.compile(r"status of 40[0-9]|^htmx:(sendAbort|afterRequest)")
IS_ON_TOP = """
button => {
    const box = button.getBoundingClientRect();
    const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return box.left >= 0 && box.right <= window.innerWidth && (button === seen || button.contains(seen));
}
"""


class Person:
    """Somebody at a page, in her language."""

    def __init__(self, page: Page, language: str):
        self.page = page
        self.language = language
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self._note("error", error.stack))
        page.on("console", lambda line: self._note(line.type, line.text))
        page.on("dialog", lambda dialog: self._note("error", dialog.message))

    def open(self, path: str) -> Response:
        """Go to a page."""
        return self.page.goto(path)

    def another_tab(self) -> "Person":
        """The same person at a second tab."""
        tab = Person(self.page.context.new_page(), self.language)
        tab.faults = self.faults
        return tab

    def post(self, path: str, **form: object) -> int:
        """Send a form that no page offers, as somebody would who knows its address; answers the status."""
        token = self.page.locator("[name=csrfmiddlewaretoken]").first.input_value()
        sent = {"csrfmiddlewaretoken": token} | {name: str(value) for name, value in form.items()}
        referer = {"Referer": self.page.url}
        return self.page.request.post(path, form=sent, headers=referer, max_redirects=0).status

    def log_in(self, name: str, password: str) -> None:
        """Through the log-in page, which speaks her language already."""
        self.open("/admin/")
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)
        self.page.locator("#id_username").fill(name)
        self.page.locator("#id_password").fill(password)
        self.page.locator("#id_password").press("Enter")
        self.page.wait_for_url("**/admin/")

    def words(self, text: object) -> str:
        """A text of the product in her language."""
        with translation.override(self.language):
            return translation.gettext(str(text)) if isinstance(text, str) else str(text)

    def check_on_the_phone(self, button: Locator | None = None) -> None:
        """On a phone nothing makes the page scroll sideways, and the main button can be reached and is not covered."""
        self.page.set_viewport_size(PHONE)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], f"{self.page.url} is {width} px wide on a phone."
        if button is not None:
            button.scroll_into_view_if_needed()
            assert button.evaluate(IS_ON_TOP), f"{button} cannot be reached on a phone at {self.page.url}."
        self.page.set_viewport_size(DESK)

    def tiles(self) -> dict[str, int]:
        """The numbers in tiles, by their labels."""
        return {
            tile.locator(".hy-tile-label").inner_text(): whole(tile.locator(".hy-tile-value").inner_text())
            for tile in self.page.locator(".hy-tile").all()
        }

    def waterfall(self) -> dict[str, int]:
        """The steps of the waterfall that somebody falls into, by the code in their links."""
        self.page.locator(".hy-waterfall").wait_for()
        found = {}
        for link in self.page.locator(".hy-waterfall a").all():
            code = link.get_attribute("href").rstrip("/").rpartition("/")[2]
            found[code] = whole(link.inner_text())
        return found

    def upload(self, file: Path | dict) -> None:
        """Choose a customer file, and look at its review."""
        self.open("/admin/customers/spreadsheetimport/add/")
        button = self.page.locator("button.hy-button-main")
        self.check_on_the_phone(button)
        self.page.locator("input[type=file]").set_input_files(file)
        button.click()
        self.page.locator("button[name=action][value=import]").wait_for()

    def declare_consent(self, *, place: str, day: str, wording: str) -> None:
        """Declare for the whole file that the customers agreed to everything by SMS."""
        self.page.locator("details:has([name=place]) > summary").click()
        self.page.locator("[name=place]").fill(place)
        self.page.locator("[name=given_on]").fill(day)
        self.page.locator("[name=wording]").fill(wording)
        # As quickly as she can: what one click asks the server must not undo the next.
        for box in ("channels][value=sms", "purposes][value=care", "purposes][value=marketing"):
            self.page.locator(f"[name={box}]").check()

    def start_import(self) -> None:
        """One click, and the result comes by itself."""
        button = self.page.locator("button[name=action][value=import]")
        self.check_on_the_phone(button)
        button.click()
        self.page.locator("a.hy-button-main[href$='/spreadsheetimport/add/']").wait_for()
        self.check_on_the_phone(self.page.locator("a.hy-button-main"))

    def save(self) -> None:
        """The main button of a form."""
        button = self.page.locator("button[name=_save], input[name=_save]").first
        self.check_on_the_phone(button)
        button.click()

    def _note(self, kind: str, text: str) -> None:
        if kind == "error" and not HARMLESS.search(text):
            self.faults.append(f"{self.page.url}: {text}")


def whole(text: str) -> int:
    """A number as pages show it."""
    return int(re.sub(r"\D", "", text))
