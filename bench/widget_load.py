"""Measure the widget's work on the main thread while a page loads: `python -m bench.widget_load`.

Loads one built page again and again, in turns: with a script that makes nothing but a `<button>`, and with
the widget's tag; both also behind a script of the page's own. Each load has a new context. The script comes
when the page has been painted, so what the main thread does from then on is the script's: its own run (the
outermost `EvaluateScript` and `FunctionCall`) and the style, layout and paint that it causes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
from pathlib import Path
from typing import Any

from harness.loopback import Call, Connection, LoopbackServer

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "tests/sites/docusaurus/built/lighting.html"
ENTRY = ROOT / "static/widget/widget.js"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium-headless-shell")
CATEGORIES = "devtools.timeline,v8,disabled-by-default-v8.compile,toplevel"
SCRIPT_COMES_AFTER_S = 0.4
SCRIPT_EVENTS = frozenset({"EvaluateScript", "FunctionCall", "v8.compile", "RunMicrotasks", "TimerFire"})
STYLE_EVENTS = frozenset(
    {"UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit", "ParseAuthorStyleSheet"}
)
BUTTON = """(() => { const b = document.createElement('button'); b.textContent = 'Ask this book';
b.style.cssText = 'position: fixed; bottom: 20px; right: 20px; padding: 10px 18px';
document.body.append(b); })();"""
# What nearly every page's own script touches: whoever touches it first pays for it.
PAGE_SCRIPT = """addEventListener('DOMContentLoaded', () => { const d = document, e = d.createElement('div');
e.setAttribute('class', 'x'); e.addEventListener('click', () => {}); d.addEventListener('click', () => {});
addEventListener('keydown', () => {}); new MutationObserver(() => {}).observe(d.body, { childList: true });
d.documentElement.getAttribute('data-theme'); d.body.append(e); e.remove(); location.href; });"""
BEHIND = ", behind the page's script"
KINDS = ("button", "widget", f"button{BEHIND}", f"widget{BEHIND}")


class Pages(LoopbackServer):
    """Serve the page of each kind, and the scripts when the page has been painted."""

    def respond(self, call: Call, connection: Connection) -> None:
        match call.path:
            case "/page":
                page = _page_of(KINDS[int(call.query["kind"])])
                connection.reply(200, page, {"Content-Type": "text/html; charset=utf-8"})
            case "/widget.js" | "/button.js" as script:
                connection.pause(SCRIPT_COMES_AFTER_S)
                body = ENTRY.read_bytes() if script == "/widget.js" else BUTTON.encode()
                connection.reply(200, body, {"Content-Type": "text/javascript"})
            case _:
                connection.reply(404, b"")


def _page_of(kind: str) -> bytes:
    tag = f'<script async src="/{kind.removesuffix(BEHIND)}.js"></script>'
    if kind.endswith(BEHIND):
        tag = f"<script>{PAGE_SCRIPT}</script>{tag}"
    return PAGE.read_text("utf-8").replace("</head>", f"{tag}</head>").encode()


def load_once(browser: Any, address: str) -> tuple[float, float]:
    """Load a page in a new context.

    Returns:
        The milliseconds of its late script, and of the style, layout and paint that follow.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        page = context.new_page()
        tracing = browser.new_browser_cdp_session()
        events: list[dict[str, Any]] = []
        done = threading.Event()
        tracing.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
        tracing.on("Tracing.tracingComplete", lambda _: done.set())
        tracing.send("Tracing.start", {"categories": CATEGORIES, "transferMode": "ReportEvents"})
        page.goto(address)
        page.wait_for_timeout(500)
        tracing.send("Tracing.end")
        while not done.is_set():
            page.wait_for_timeout(20)
        return _work(events)
    finally:
        context.close()


def _work(events: list[dict[str, Any]]) -> tuple[float, float]:
    """Sum the CPU of the outermost events from the late script on, in the thread that ran it."""
    first = min((e for e in events if _is_late_script(e)), key=lambda event: event["ts"])
    thread = (first["pid"], first["tid"])
    script = style = end = 0.0
    for event in sorted(events, key=lambda e: (e.get("ts", 0), -e.get("dur", 0))):
        is_known = event.get("name") in SCRIPT_EVENTS | STYLE_EVENTS and event.get("ph") == "X"
        if not is_known or (event["pid"], event["tid"]) != thread or event["ts"] < max(first["ts"], end):
            continue  # Of another kind or thread, before the script, or within an event that is counted.
        end = event["ts"] + event.get("dur", 0)
        took = event.get("tdur", event.get("dur", 0)) / 1000
        if event["name"] in SCRIPT_EVENTS:
            script += took
        else:
            style += took
    return script, style


def _is_late_script(event: dict[str, Any]) -> bool:
    return event.get("name") == "EvaluateScript" and str(
        event.get("args", {}).get("data", {}).get("url", "")
    ).endswith(("/widget.js", "/button.js"))


def main() -> None:
    """Print the medians of each kind of page, and write them to a file where one is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--loads", type=int, default=24, help="how often each kind of page is loaded")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    with Pages() as pages, sync_playwright() as playwright:
        args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        for turn in range(options.loads + 1):
            for number, kind in enumerate(KINDS):
                work = load_once(browser, f"{pages.url}/page?kind={number}")
                if turn:  # The first turn warms the browser up.
                    found[kind].append(work)
        browser.close()
    figures = {kind: _figures(loads) for kind, loads in found.items()}
    for kind, row in figures.items():
        print(f"{kind:34}", *(f"{name} {value:.2f}" for name, value in row.items()), sep="  ")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _figures(loads: list[tuple[float, float]]) -> dict[str, float]:
    both = [script + style for script, style in loads]
    low, middle, high = statistics.quantiles(both, n=4)
    return {
        "script": statistics.median(script for script, _ in loads),
        "style, layout, paint": statistics.median(style for _, style in loads),
        "both": middle,
        "lower quartile": low,
        "upper quartile": high,
        "times four": 4 * middle,
    }


if __name__ == "__main__":
    main()
