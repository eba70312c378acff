"""The documents say what the code says, and point to what is there."""

import re
from pathlib import Path

import pytest

from gateway.refusals import STATUSES
from handlers import DOMAINS
from tests.docs.effects import BY_THEMSELVES, EFFECTS
from tests.docs.inserts import DOCS, alert_rules, inserted_files, with_inserts

PROJECT = DOCS.parent
PAGES = [*PROJECT.glob("*.md"), *DOCS.rglob("*.md")]

_LINK = re.compile(r"\]\(([^)#\s]+)(?:#([\w-]+))?\)|\]\(#([\w-]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_REFUSAL = re.compile(r"^\| `([A-Z_]+)` \| (\d{3}) \| \S", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@each_page
def test_inserts_are_up_to_date(page: Path) -> None:
    """Tables say what the domains declare, programs are those that tests run.

    If not: `python -m tests.docs.inserts`.
    """
    text = page.read_text()
    assert with_inserts(text) == text


def test_every_example_stands_in_a_page() -> None:
    """Nobody has to look into the folder to find it."""
    shown = [file for page in PAGES for file in inserted_files(page.read_text())]
    assert sorted(shown) == sorted((DOCS / "examples").iterdir())


@pytest.mark.parametrize(
    ("page", "statuses"),
    [
        ("protocol.md", STATUSES),
        ("gallery.md", {code: at for domain in DOMAINS for code, at in domain.statuses.items()}),
    ],
)
def test_every_refusal_is_explained(page: str, statuses: dict[str, int]) -> None:
    """With its status, and what it means."""
    explained = _REFUSAL.findall((DOCS / page).read_text())
    assert sorted(explained) == sorted((code, str(status)) for code, status in statuses.items())


def test_every_operation_is_shown_by_a_test() -> None:
    """It has a place in the table of effects, and the test that is named there is one."""
    assert EFFECTS.keys() == {
        operation.event for domain in DOMAINS for operation in domain.operations
    }
    for effect in EFFECTS.values():
        file, _, name = effect.shown.partition("::")
        assert f"def {name}(" in (PROJECT / "tests" / file).read_text(), effect.shown


def test_every_event_has_a_cause() -> None:
    """An operation, or something that nobody asked for."""
    caused = {name for effect in EFFECTS.values() for name in effect.events}
    declared = {
        event.name for domain in DOMAINS for told in domain.events.values() for event in told
    }
    assert caused <= declared
    assert declared - caused <= BY_THEMSELVES


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the project, and to a heading that is in it."""
    for path, heading, own in _LINK.findall(page.read_text()):
        if path.startswith(("http://", "https://")):
            continue
        target = page.parent / path if path else page
        assert target.exists(), path
        if heading or own:
            assert (heading or own) in _anchors(target), heading or own


def _anchors(page: Path) -> set[str]:
    """The names of a page's headings, as links spell them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(page.read_text())
    }


def test_adrs_are_numbered_and_listed() -> None:
    """Each has a number of its own, and the index names them all."""
    pages = sorted(DOCS.glob("adr/[0-9]*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers)
    index = (DOCS / "adr" / "README.md").read_text()
    assert [page.name for page in pages if page.name not in index] == []


def test_every_alert_has_its_paragraph() -> None:
    """Whoever is woken finds what it means, and what to do, in the order of the rules."""
    page = (DOCS / "operations.md").read_text()
    part = page.partition("\n### What each alert means\n")[2].partition("\n## ")[0]
    explained = re.findall(r"^\*\*(\w+)\.\*\* \S", part, re.MULTILINE)
    assert explained == [rule["alert"] for rule in alert_rules()]
