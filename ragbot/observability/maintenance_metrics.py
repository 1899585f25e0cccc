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
        # Zeros before the first run: without a value no alert could tell that there has been none.
        backup = self._log.last(MaintenanceTask.BACKUP, good=True)
        self._metrics.set("backup_last_success_timestamp_seconds", _ended_at(backup))
        self._metrics.set("backup_last_size_bytes", _fact(backup, "size_bytes"))
        newest = self._log.last(MaintenanceTask.DRILL)
        self._metrics.set("drill_last_ok", int(newest is not None and newest.ok))
        drill = self._log.last(MaintenanceTask.DRILL, good=True)
        self._metrics.set("drill_last_success_timestamp_seconds", _ended_at(drill))
        self._metrics.set("drill_recovery_seconds", _fact(drill, "recovery_s"))
        self._metrics.set("drill_data_age_seconds", _fact(drill, "data_age_s"))


def _ended_at(run: MaintenanceRun | None) -> float:
    return run.finished_at.timestamp() if run else 0.0


def _fact(run: MaintenanceRun | None, name: str) -> float:
    return float(run.facts.get(name) or 0) if run else 0.0
