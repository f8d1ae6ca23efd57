"""What runs workloads in ways of its own: Tekton, Flagger, Spark, Ray, KServe, Kubeflow, JobSet, KubeVirt, OpenShift."""

from __future__ import annotations

from typing import Final

from homeostat.compare.health import read
from homeostat.compare.health.shapes import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Conditions,
    Phases,
    RuleFunction,
    by_type,
    held_up,
    kinds,
    waiting_for,
    words,
)
from homeostat.model.health import Health
from homeostat.model.objects import GroupKind, Object

READY: Final = Conditions()

_CANARY = words(
    healthy="Initialized|Succeeded",
    progressing="Initializing|Waiting|WaitingPromotion|Progressing|Promoting|Finalising|Terminating",
    degraded="Failed",
)


def canary(obj: Object) -> Health | None:
    """`status.phase`; the message is that of condition Promoted"""
    promoted = read.condition(read.mapping(obj, "status"), "Promoted") or {}
    health = Phases(words=_CANARY, other=UNKNOWN)(obj)
    said = read.text(promoted, "message")
    return Health(health.status, f"{health.message}: {said}") if health is not None and said else health


_SPARK = words(
    healthy="COMPLETED",
    progressing="SUBMITTED|PENDING_RERUN|SUCCEEDING|INVALIDATING|SUSPENDING|RESUMING|UNKNOWN",
    degraded="FAILED|FAILING|SUBMISSION_FAILED",
    suspended="SUSPENDED",
)


def spark_application(obj: Object) -> Health:
    """`status.applicationState.state`; RUNNING is Healthy once all executors run"""
    state = read.mapping(obj, "status", "applicationState")
    word, message = read.text(state, "state"), read.text(state, "errorMessage")
    if word != "RUNNING":
        return Health(_SPARK.get(word, PROGRESSING), message or word or waiting_for(obj))
    executors = read.mapping(obj, "status", "executorState").values()
    running = sum(one == "RUNNING" for one in executors)
    wanted = read.maybe_number(read.mapping(obj, "spec", "executor"), "instances")
    allocation = read.mapping(obj, "spec", "dynamicAllocation").get("enabled") is True
    enough = running > 0 if allocation or wanted is None else running == wanted
    return Health(HEALTHY if enough else PROGRESSING, f"{running} executors run")


_RAY_CLUSTER = words(healthy="ready", degraded="failed|unhealthy", suspended="suspended")
_RAY_JOB = words(
    healthy="Complete",
    progressing="Initializing|Running|Retrying|Waiting|Suspending",
    degraded="Failed|ValidationFailed",
    suspended="Suspended",
)


def ray_cluster(obj: Object) -> Health | None:
    """`status.state`, else condition HeadPodReady"""
    health = Phases(words=_RAY_CLUSTER, path=("status", "state"), said=("status", "reason"), suspend=("spec", "suspend"), absent=None)(obj)
    return health or Conditions(good=("HeadPodReady",), bad=("ReplicaFailure",), when_false=PROGRESSING)(obj)


def ray_service(obj: Object) -> Health | None:
    """Condition Ready, else `status.serviceStatus`"""
    if "Ready" in by_type(read.mapping(obj, "status")):
        return Conditions(busy=("UpgradeInProgress",), when_false=PROGRESSING)(obj)
    return Phases(words=words(healthy="Running", degraded="FailedServeDeploy|FailedToUpdateService"), path=("status", "serviceStatus"))(obj)


_ENDS = (("Failed", DEGRADED), ("Succeeded", HEALTHY), ("Completed", HEALTHY), ("Suspended", SUSPENDED))


def run_to_end(obj: Object) -> Health:
    """Conditions Failed, Succeeded (or Completed), Suspended; running is Progressing"""
    found = by_type(read.mapping(obj, "status"))
    for kind, health in _ENDS:
        condition = found.get(kind, {})
        if condition.get("status") == "True":
            return Health(health, read.text(condition, "message"))
    return Health(PROGRESSING, read.text(found.get("Running", {}), "message") or waiting_for(obj))


def virtual_machine(obj: Object) -> Health:
    """Conditions Ready, Paused; one that is stopped is Suspended; the message is `status.printableStatus`"""
    status = read.mapping(obj, "status")
    found = by_type(status)
    message = read.text(status, "printableStatus")
    if found.get("Paused", {}).get("status") == "True":
        return Health(SUSPENDED, message or "Paused")
    ready = found.get("Ready")
    if ready is None:
        return Health(PROGRESSING, message or waiting_for(obj))
    if ready.get("status") == "True":
        return Health(HEALTHY, message)
    return Health(PROGRESSING if read.flag(status, "created") else SUSPENDED, message or read.text(ready, "message"))


_INSTANCE = words(progressing="Pending|Scheduling|Scheduled|WaitingForSync", degraded="Failed", suspended="Succeeded", unknown="Unknown")


def virtual_machine_instance(obj: Object) -> Health | None:
    """`status.phase`, then conditions Paused, Ready"""
    phase = read.text(read.mapping(obj, "status"), "phase")
    return Health(_INSTANCE[phase], phase) if phase in _INSTANCE else Conditions(paused=("Paused",))(obj)


def data_volume(obj: Object) -> Health:
    """`status.phase`; condition Running that is False for the reason Error is Degraded"""
    status = read.mapping(obj, "status")
    phase = read.text(status, "phase")
    running = read.condition(status, "Running") or {}
    health = _DATA_VOLUME.get(phase, PROGRESSING)
    if health not in {HEALTHY, SUSPENDED} and running.get("status") == "False" and running.get("reason") == "Error":
        return Health(DEGRADED, read.text(running, "message"))
    return Health(health, phase or waiting_for(obj))


_DATA_VOLUME = words(healthy="Succeeded", degraded="Failed|Unknown", suspended="Paused")


def deployment_config(obj: Object) -> Health:
    """Conditions Progressing, Available; `spec.paused`"""
    held = held_up(obj, ("spec", "paused"))
    if held is not None:
        return held
    found = by_type(read.mapping(obj, "status"))
    progress = found.get("Progressing", {})
    if progress.get("status") == "False":
        return Health(DEGRADED, read.text(progress, "message"))
    available = found.get("Available", {})
    if (
        available.get("status") == "True"
        and progress.get("reason", "NewReplicationControllerAvailable") == "NewReplicationControllerAvailable"
    ):
        return Health(HEALTHY, read.text(available, "message"))
    return Health(PROGRESSING, read.text(progress, "message") or read.text(available, "message") or waiting_for(obj))


_RUN = Conditions(good=("Succeeded",))
_KUBEVIRT = Conditions(good=("Available",), bad=("Degraded",), busy=("Progressing",), when_false=PROGRESSING)
_SCHEDULED_SPARK = Phases(
    words=words(healthy="Scheduled", degraded="FailedValidation"),
    path=("status", "scheduleState"),
    said=("status", "reason"),
    suspend=("spec", "suspend"),
)

KINDS: Final[dict[GroupKind, RuleFunction]] = {
    # tekton.dev/docs/pipelines/pipelineruns
    **kinds("tekton.dev", "CustomRun PipelineRun TaskRun", _RUN),
    # docs.flagger.app/usage/how-it-works
    **kinds("flagger.app", "Canary", canary),
    **kinds("sparkoperator.k8s.io", "SparkApplication", spark_application),
    **kinds("sparkoperator.k8s.io", "ScheduledSparkApplication", _SCHEDULED_SPARK),
    # docs.ray.io/en/latest/cluster/kubernetes
    **kinds("ray.io", "RayCluster", ray_cluster),
    **kinds("ray.io", "RayJob", Phases(words=_RAY_JOB, path=("status", "jobDeploymentStatus"))),
    **kinds("ray.io", "RayService", ray_service),
    **kinds("serving.kserve.io", "InferenceService", READY),
    **kinds("kubeflow.org", "MPIJob PyTorchJob TFJob XGBoostJob", run_to_end),
    **kinds("jobset.x-k8s.io", "JobSet", run_to_end),
    **kinds("leaderworkerset.x-k8s.io", "LeaderWorkerSet", Conditions(good=("Available",), busy=("Progressing",), when_false=PROGRESSING)),
    **kinds("kueue.x-k8s.io", "ClusterQueue LocalQueue AdmissionCheck", Conditions(good=("Active",))),
    # kubevirt.io/api-reference
    **kinds("kubevirt.io", "VirtualMachine", virtual_machine),
    **kinds("kubevirt.io", "VirtualMachineInstance", virtual_machine_instance),
    **kinds("kubevirt.io", "KubeVirt", _KUBEVIRT),
    **kinds("cdi.kubevirt.io", "DataVolume", data_volume),
    **kinds("apps.openshift.io", "DeploymentConfig", deployment_config),
}
