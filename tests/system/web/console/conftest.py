"""Open the console with the shipped app, and with a fake that does what a real service rarely does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.web.console.console_page import opened
from tests.system.web.console_fake_api import FakeApi, serving

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page


@pytest.fixture
def live(chromium: Browser, live_console: Any) -> Iterator[Page]:
    """Yield the shipped console on a desk; whatever a test does there, the page must behave."""
    with opened(chromium, live_console.url) as (page, watch):
        yield page

        assert watch.foreign == []
        assert watch.complaints == []


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    with serving(FakeApi()) as api:
        yield api


@pytest.fixture
def page(chromium: Browser, fake: FakeApi) -> Iterator[Page]:
    with opened(chromium, fake.url) as (page, watch):
        yield page

        # The browser itself reports each status of 400 and above; that is no fault of the page.
        assert [text for text in watch.complaints if "Failed to load resource" not in text] == []
        assert watch.foreign == []
