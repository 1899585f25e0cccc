"""Open pages in browser contexts that tests share: a context costs more than twice what its page costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Browser, BrowserContext, Page


@contextmanager
def fresh_page(browser: Browser, **settings: Any) -> Iterator[Page]:
    """Open a page in the context with these settings; it finds nothing that another test stored there."""
    context = _context_with(browser, json.dumps(settings, sort_keys=True))
    context.clear_cookies()
    page = context.new_page()
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    try:
        yield page
    finally:
        for opened in context.pages[1:]:
            opened.close()


@cache
def _context_with(browser: Browser, settings: str) -> BrowserContext:
    context = browser.new_context(**json.loads(settings))
    # While one page stays open, the next one need not wait for a process of its own.
    context.new_page()
    return context
