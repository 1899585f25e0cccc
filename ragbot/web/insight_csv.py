"""Send what readers asked as a file for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response

from ragbot.insights.values import csv_text
from ragbot.web.insight_schemas import DayReply

DAY_COLUMNS = ("day", *(name for name in DayReply.model_fields if name != "day"))


def csv_reply(name: str, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """Return rows as the file `name`.csv."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(csv_text([*columns], rows), mimetype="text/csv", headers=headers)
