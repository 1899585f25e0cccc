"""Build the bodies of errors: problem details by RFC 9457."""

from __future__ import annotations

from typing import Any

PROBLEM_JSON = "application/problem+json"


def problem_details(code: str, title: str, status: int, detail: str, *, request_id: str) -> dict[str, Any]:
    """Build a problem. `code` is stable and for programs; `detail` is a sentence for people."""
    return {
        "type": f"urn:ragbot:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
