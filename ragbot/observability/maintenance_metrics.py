"""Set the metrics of backups and drills, which other processes run, at each scrape."""

from __future__ import annotations

from ragbot.health.runner import HealthCheck, HealthChecks
from ragbot.observability.metrics import Metrics
from ragbot.storage.maintenance_log import MaintenanceLog, MaintenanceRun, MaintenanceTask

# They change once a day.
CACHE_S = 10.0


class MaintenanceMetrics:
    """Read the log of runs. A database that is down or hangs leaves the metrics as they were."""

    def __init__(self, metrics: Metrics, log: MaintenanceLog) -> None:
        self._metrics = metrics
        self._log = log
        self._reading = HealthChecks({"maintenance": HealthCheck(self._read)}, cache_s=CACHE_S)

    def sample(self) -> None:
        """Set the metrics, within 0.6 s and without an exception."""
        self._reading.results()

    def _read(self) -> None:
        if backup := self._log.last(MaintenanceTask.BACKUP, good=True):
            self._metrics.set("backup_last_success_timestamp_seconds", backup.finished_at.timestamp())
            self._metrics.set("backup_last_size_bytes", _fact(backup, "size_bytes"))
        if drill := self._log.last(MaintenanceTask.DRILL):
            self._metrics.set("drill_last_ok", int(drill.ok))
        if drill := self._log.last(MaintenanceTask.DRILL, good=True):
            self._metrics.set("drill_last_success_timestamp_seconds", drill.finished_at.timestamp())
            self._metrics.set("drill_recovery_seconds", _fact(drill, "recovery_s"))
            self._metrics.set("drill_data_age_seconds", _fact(drill, "data_age_s"))


def _fact(run: MaintenanceRun, name: str) -> float:
    return float(run.facts.get(name) or 0)
