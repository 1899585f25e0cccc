"""Count readers' ratings, and set the metric of open gaps at a scrape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ragbot.health.runner import HealthCheck, HealthChecks
from ragbot.observability.metrics import Metrics
from ragbot.storage.question_insights import QuestionInsights

RATINGS = ("up", "down")
# Gaps of so much time count.
SPAN = timedelta(days=7)
# It takes a tenth of a second over 100,000 questions, and changes slowly.
CACHE_S = 300.0


class InsightMetrics:
    """Count and read what readers think. A database that is down or hangs leaves the gaps as they were."""

    def __init__(self, metrics: Metrics, insights: QuestionInsights) -> None:
        self._metrics = metrics
        self._insights = insights
        self._reading = HealthChecks({"gaps": HealthCheck(self._read)}, cache_s=CACHE_S)
        for rating in RATINGS:
            metrics.start_at_zero("feedback_total", rating=rating)

    def rated(self, rating: str) -> None:
        """Count a rating."""
        self._metrics.count("feedback_total", rating=rating)

    def sample(self) -> None:
        """Set the open gaps, within 0.6 s and without an exception."""
        self._reading.results()

    def _read(self) -> None:
        found = self._insights.open_gaps(datetime.now(UTC) - SPAN)
        self._metrics.set("gaps_open", sum(found.values()))
