"""The leaderboard's pages in a real Chromium: sorting, filtering, hostile text, contrast, a phone's width."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from kbench.leaderboard.site import build_site
from tests.board import HOSTILE, write_board
from tests.browsing import OVERLAPS

pytestmark = [pytest.mark.board, pytest.mark.browser, pytest.mark.xdist_group("board")]

VISIBLE = "#methods-board tr[data-entry]:visible"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    write_board(folder / "entries")
    build_site(folder / "entries", folder / "site")
    return folder / "site"


@contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[Page]:
    """A page, which must have had nothing to say on its console and asked for no file but its own."""
    context = browser.new_context(**options)
    page = context.new_page()
    troubles: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert troubles == []
    assert all(url.startswith(("file:", "data:,")) for url in requests)
    context.close()


def names(page: Page) -> list[str]:
    return [str(row.get_attribute("data-entry")) for row in page.locator(VISIBLE).all()]


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("index.html", 360),
        ("index.html", 420),
        ("index.html", 1100),
        ("entries/tuned.html", 420),
        ("entries/tuned.html", 1100),
        ("entries/hostile.html", 360),
    ],
)
def test_no_page_scrolls_sideways_and_no_text_of_a_picture_hides_another(
    site: Path, browser: Browser, name: str, width: int
) -> None:
    with opened(browser, site / name, viewport={"width": width, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERLAPS) == []
        assert page.locator("svg.plot").count() == (3 if name == "index.html" else 1)


@pytest.mark.parametrize("name", ["index.html", "entries/tuned.html"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
def test_axe_finds_no_violation(site: Path, browser: Browser, name: str, scheme: Any, width: int) -> None:
    with opened(browser, site / name, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        found = Axe().run(page, options={"preload": False}).response["violations"]
        assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]][:4]) for rule in found] == []


def test_text_of_an_entry_makes_no_element_and_runs_nothing(site: Path, browser: Browser) -> None:
    with opened(browser, site / "entries" / "hostile.html") as page:
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 1
        assert page.locator("h1").inner_text() == HOSTILE[:80]
        assert HOSTILE in page.locator(".samples tbody tr").first.inner_text()
        assert page.get_by_role("link", name="https://example.org").get_attribute("rel") == "nofollow noopener"
    with opened(browser, site / "index.html") as page:
        page.get_by_label("Reproduced only").first.uncheck()
        page.get_by_label("Find").first.fill("onerror")
        assert names(page) == ["hostile"]


def test_a_table_sorts_by_keyboard_and_says_so(site: Path, browser: Browser) -> None:
    with opened(browser, site / "index.html") as page:
        by_rank = names(page)
        head = page.locator("#methods-board th", has=page.get_by_role("button", name="Score, 95 %"))
        head.get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        assert page.locator("#methods-board [aria-sort]").count() == 1
        assert names(page)[:3] == ["ceiling", "tuned", "no-replay"]
        assert page.locator("#methods-board .group:visible").count() == 0
        page.keyboard.press("Space")
        assert head.get_attribute("aria-sort") == "ascending"
        assert names(page)[0] == "floor"
        page.locator("#methods-board").get_by_role("button", name="Method").press("Enter")
        assert names(page)[:2] == ["articles", "paraphrases"]
        page.locator("#methods-board").get_by_role("button", name="Public").press("Enter")
        assert names(page)[0] == "tuned"
        page.locator("#methods-board").get_by_role("button", name="Rank").press("Enter")
        assert names(page) == by_rank
        assert page.locator("#methods-board .group:visible").count() == 5


def test_only_reproduced_entries_are_shown_until_the_reader_asks_for_all(site: Path, browser: Browser) -> None:
    with opened(browser, site / "index.html") as page:
        status = page.locator("form[data-board=methods] output")
        assert status.inner_text() == "11 of 13 shown, 2 self-reported hidden"
        assert not {"claimed", "hostile"} & set(names(page))
        page.get_by_label("Reproduced only").first.press("Space")
        assert status.inner_text() == "13 of 13 shown"
        assert names(page)[-2:] == ["claimed", "hostile"]
        page.get_by_label("Tokens").first.select_option("4")
        assert [n for n in names(page) if n not in ("floor", "ceiling")] == [
            "tuned",
            "mixed",
            "reversal",
            "qa-4",
            "rank-1",
            "claimed",
        ]
        page.get_by_label("Tokens").first.select_option("")
        page.get_by_label("Find").first.fill("LORA")
        assert names(page) == ["rank-1"]
        assert page.locator("#methods-board .group:visible").all_inner_texts()[0].startswith("At most 4×")


def test_without_scripts_a_page_shows_everything_as_plain_tables(site: Path, browser: Browser) -> None:
    with opened(browser, site / "index.html", java_script_enabled=False) as page:
        assert len(names(page)) == 15
        assert page.locator("form:visible").count() == page.locator("button").count() == 0
    with opened(browser, site / "entries" / "qa-4.html", java_script_enabled=False) as page:
        assert page.locator(".samples tbody tr:visible").count() >= 40
        assert page.locator("form:visible").count() == 0


def test_samples_are_picked_by_axis_and_verdict(site: Path, browser: Browser) -> None:
    with opened(browser, site / "entries" / "qa-4.html") as page:
        page.get_by_role("combobox", name="Axis").select_option("reverse")
        page.get_by_role("combobox", name="Verdict").select_option("wrong")
        rows = page.locator(".samples tbody tr:visible")
        assert rows.count() == 5
        assert all("wrong" in text and "reverse" in text for text in rows.all_inner_texts())
        assert page.locator("form output").inner_text().startswith("5 of ")


def test_what_is_pressed_is_large_enough_and_focus_is_seen(site: Path, browser: Browser) -> None:
    with opened(browser, site / "index.html", viewport={"width": 360, "height": 800}) as page:
        small = """() => [...document.querySelectorAll('button, input, select, nav a, .name a')].filter(e => e.offsetParent)
            .map(e => [e.textContent || e.name, e.getBoundingClientRect()]).filter(([, r]) => r.height < 24 || r.width < 24).map(([t]) => t)"""
        assert page.evaluate(small) == []
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_point_of_the_picture_leads_to_its_entry(site: Path, browser: Browser) -> None:
    with opened(browser, site / "index.html") as page:
        page.get_by_role("link", name="Tuned to the test: 0.").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/entries/tuned.html")
        assert page.locator("h1").inner_text() == "Tuned to the test"
