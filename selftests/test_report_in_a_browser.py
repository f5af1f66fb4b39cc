"""report.html in headless Chromium: opened, filtered, followed and printed."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kubeproof import report
from selftests import sample_runs

PHONE, DESKTOP = 390, 1280  # CSS pixels
AA = 4.5  # contrast of text against its background (WCAG 2.2, 1.4.3)
TEXT_ON = [
    *((text, "paper") for text in ("ink", "quiet", "passed", "failed", "error")),
    ("ink", "sunk"),
    ("ink", "failed-soft"),
    ("error", "error-soft"),
    ("paper", "failed"),
    *(("on-script", f"script-{number}") for number in range(4)),
]

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, which lab/host_packages.sh installs for these tests."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[sample_runs.Maker, str]:
    """The URL of each sample run's report."""
    runs = (sample_runs.green, sample_runs.red, sample_runs.red_200_times)
    return {run: report.write(run(tmp_path_factory.mktemp("runs") / run.__name__)).as_uri() for run in runs}


@pytest.fixture
def open_page(browser: Browser, reports: dict[sample_runs.Maker, str]) -> Iterator[Open]:
    """Opens the report of a sample run; at the end no page has logged an error or requested another file."""
    complaints: list[str] = []
    requests: set[str] = set()
    opened: set[str] = set()
    pages: list[Page] = []

    def opener(run: sample_runs.Maker, width: int = DESKTOP, scheme: str = "light") -> Page:
        url = reports[run]
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type] # a str that is one of the literals
        page.on("console", lambda line: complaints.append(line.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.add(request.url.partition("#")[0]))
        page.goto(url)
        opened.add(url)
        pages.append(page)
        return page

    yield opener
    for page in pages:
        page.close()
    assert complaints == []
    assert {url for url in requests if not url.startswith("data:")} == opened


def shown_checks(page: Page) -> int:
    """The number of checks that the table shows."""
    return page.locator("#checks .mark:visible").count()


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("run", [sample_runs.green, sample_runs.red, sample_runs.red_200_times])
def test_the_page_fits_its_screen(open_page: Open, run: sample_runs.Maker, width: int) -> None:
    """Without a horizontal scroll bar."""
    page = open_page(run, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_verdict_is_the_heading(open_page: Open) -> None:
    """And begins the title of the window."""
    assert open_page(sample_runs.green).locator("h1").inner_text() == "Proved"
    page = open_page(sample_runs.red)
    assert page.locator("h1").inner_text() == "Not proved"
    assert page.title().startswith("Not proved: k8s")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize(
    ("choice", "checks", "failures"),
    [
        ("Verdict: failed", 200, 200),
        ("Verdict: passed", 46, 0),
        ("Node: w1-k8s", 58, 50),
        ("Area: cluster", 2, 0),
    ],
)
def test_each_filter_leaves_matching_checks(
    open_page: Open, width: int, choice: str, checks: int, failures: int
) -> None:
    """In the table, in the list of failures, and in their number."""
    page = open_page(sample_runs.red_200_times, width)
    label, value = choice.split(": ")
    page.get_by_role("combobox", name=label).select_option(value)
    assert shown_checks(page) == checks
    assert page.locator(".failure:visible").count() == failures
    assert page.locator("#wrong").is_visible() == bool(failures)
    expect(page.get_by_role("status")).to_have_text(f"{checks} of 246 checks")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize(
    ("words", "checks"), [("fact_017", 1), ("FACTS sysctls", 66), ("fact_003 HOSTS right", 1), ("swap off", 8)]
)
def test_search_finds_every_word(open_page: Open, width: int, words: str, checks: int) -> None:
    """In names, steps and messages, in upper and lower case."""
    page = open_page(sample_runs.red_200_times, width)
    page.get_by_role("searchbox", name="Search").fill(words)
    assert shown_checks(page) == checks


def test_filters_work_together_and_can_be_reset(open_page: Open) -> None:
    """From no match to all checks."""
    page = open_page(sample_runs.red)
    page.get_by_role("combobox", name="Node").select_option("m-k8s")
    page.get_by_role("combobox", name="Verdict").select_option("failed")
    expect(page.get_by_text("No check matches.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_role("status")).to_have_text("46 of 46 checks")
    assert shown_checks(page) == 46


def test_a_red_mark_leads_to_its_failure(open_page: Open) -> None:
    """And unfolds it."""
    page = open_page(sample_runs.red_200_times)
    page.get_by_role("link", name="fact_199 on w3-k8s").click()
    expect(page.locator(".failure[open] b", has_text="fact_199")).to_be_in_viewport()


def test_a_failure_leads_to_its_evidence(open_page: Open) -> None:
    """And unfolds it in the page: no other file is opened."""
    page = open_page(sample_runs.red)
    page.get_by_role("link", name="evidence/w2-k8s.txt").click()
    expect(page.get_by_text("/dev/sda2 partition 2097148")).to_be_in_viewport()


def test_the_output_of_a_machine_is_text(open_page: Open) -> None:
    """Markup in a message is shown, and does nothing."""
    page = open_page(sample_runs.red)
    expect(page.get_by_text("<script>document.title = 'a machine ran this'</script>")).to_be_visible()
    assert page.title().startswith("Not proved")


def test_the_drawing_has_a_description(open_page: Open) -> None:
    """For a screen reader."""
    drawing = open_page(sample_runs.red).get_by_role("img", name="machines carry traffic")
    machines = "m-k8s passed, w1-k8s passed, w2-k8s failed, w3-k8s error"
    expect(drawing).to_have_accessible_name(f"{machines}; 11 of 12 judged directions between machines carry traffic")


def test_a_step_that_never_ended_stands_out(open_page: Open) -> None:
    """In the chart, and in the table as the first."""
    page = open_page(sample_runs.red)
    expect(page.locator(".bar.bad")).to_have_attribute("title", "work_nodes.sh kubeadm-join on w3-k8s: never ended")
    page.get_by_text("Every step, the longest first").click()
    expect(page.locator("#bring-up tbody tr").first).to_contain_text("never ended")


def test_an_experiment_shows_its_times(open_page: Open) -> None:
    """To detect, to evict, to recover."""
    figures = open_page(sample_runs.green).locator(".figures dd")
    expect(figures).to_have_text(["41 s", "1 min 11 s", "6.0 s"])


def test_the_keyboard_alone_filters_and_folds(open_page: Open) -> None:
    """The first key leads past the header; the failure is among the first, and so unfolded."""
    page = open_page(sample_runs.red)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the checks")).to_be_focused()
    page.get_by_role("searchbox", name="Search").focus()
    page.keyboard.type("swap_stays_off")
    assert shown_checks(page) == 4
    summary = page.locator(".failure:visible > summary")
    summary.focus()
    for unfolded in (0, 1):
        page.keyboard.press("Enter")
        expect(page.locator(".failure[open]:visible")).to_have_count(unfolded)


def test_on_paper_every_failure_is_unfolded(open_page: Open) -> None:
    """And nothing invites a click."""
    page = open_page(sample_runs.red)
    page.emulate_media(media="print")
    page.pdf()
    expect(page.locator(".failure[open]")).to_have_count(10)
    expect(page.locator("#filter")).to_be_hidden()


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(open_page: Open, scheme: str, media: str) -> None:
    """In both schemes, and on paper, which has one."""
    page = open_page(sample_runs.green, DESKTOP, scheme)
    page.emulate_media(media=media)  # type: ignore[arg-type] # a str that is one of the literals
    ratios = {pair: contrast(colour(page, pair[0]), colour(page, pair[1])) for pair in TEXT_ON}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < AA} == {}


def colour(page: Page, name: str) -> str:
    """A colour that the page's style defines, as #rrggbb."""
    return str(page.evaluate("name => getComputedStyle(document.documentElement).getPropertyValue(name)", f"--{name}"))


def contrast(text: str, background: str) -> float:
    """The ratio of two colours' luminances, from 1 to 21 (WCAG 2.2, contrast ratio)."""
    darker, lighter = sorted((luminance(text), luminance(background)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour.strip()[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
