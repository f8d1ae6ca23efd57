"""Health of what runs to an end: Job, CronJob, Argo's Workflow."""

from __future__ import annotations

from homeostat.compare.health import read
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Object


def job(obj: Object) -> Health:
    """By the types of the conditions; only of Suspended the status counts too (one that is False: the job went on, and is Healthy)."""
    conditions = read.items(read.mapping(obj, "status"), "conditions")
    failures = [found for found in conditions if found.get("type") == "Failed"]
    if failures:
        return Health(HealthStatus.DEGRADED, read.text(failures[-1], "message"))
    ends = [found for found in conditions if read.text(found, "type") in {"Complete", "Suspended"}]
    if not ends:
        return Health(HealthStatus.PROGRESSING)
    if any(found.get("type") == "Suspended" and found.get("status") == "True" for found in ends):
        return Health(HealthStatus.SUSPENDED)
    return Health(HealthStatus.HEALTHY, read.text(ends[-1], "message"))


def cron_job(obj: Object) -> Health:
    if read.flag(read.mapping(obj, "spec"), "suspend"):
        return Health(HealthStatus.SUSPENDED, "CronJob is Suspended")
    if obj.get("status") is None:
        return Health(HealthStatus.PROGRESSING, "Waiting for CronJob")
    status = read.mapping(obj, "status")
    scheduled, succeeded = read.text(status, "lastScheduleTime"), read.text(status, "lastSuccessfulTime")
    if not scheduled:
        return Health(HealthStatus.HEALTHY, "CronJob has not been scheduled yet")
    if not succeeded:
        # The spelling is Argo CD's, and tools compare it.
        return Health(HealthStatus.HEALTHY, "The Cronjob never completed succesfully. It may not be healthy")  # codespell:ignore
    if read.items(status, "active"):
        return Health(HealthStatus.HEALTHY, "The job is running. Its last execution may not have been successful")
    if succeeded < scheduled:
        return Health(HealthStatus.DEGRADED, "CronJob has not completed its last execution successfully")
    return Health(HealthStatus.HEALTHY, "CronJob has completed its last execution successfully")


_WORKFLOW = {
    "": HealthStatus.PROGRESSING,
    "Pending": HealthStatus.PROGRESSING,
    "Running": HealthStatus.PROGRESSING,
    "Succeeded": HealthStatus.HEALTHY,
    "Failed": HealthStatus.DEGRADED,
    "Error": HealthStatus.DEGRADED,
}


def workflow(obj: Object) -> Health:
    status = read.mapping(obj, "status")
    return Health(_WORKFLOW.get(read.text(status, "phase"), HealthStatus.UNKNOWN), read.text(status, "message"))
