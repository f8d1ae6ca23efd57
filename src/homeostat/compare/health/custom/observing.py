"""What watches over workloads: Prometheus Operator, Grafana, OpenTelemetry, Elastic, Loki, VictoriaMetrics, Jaeger."""

from __future__ import annotations

from typing import Final

from homeostat.compare.health import read
from homeostat.compare.health.shapes import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    UNKNOWN,
    Conditions,
    Phases,
    RuleFunction,
    held_up,
    kinds,
    waiting_for,
    words,
)
from homeostat.model.health import Health
from homeostat.model.objects import GroupKind, Object

# prometheus-operator.dev/docs/platform/operator: while some pods are not ready the status of Available is the word Degraded, in a rollout too.
_MONITORING = Conditions(good=("Available",), reasons={"SomePodsNotReady": PROGRESSING})


def bound(obj: Object) -> Health | None:
    """Condition Accepted of each of `status.bindings`; without any no health"""
    bindings = read.items(read.mapping(obj, "status"), "bindings")
    for binding in bindings:
        accepted = read.condition(binding, "Accepted") or {}
        if accepted.get("status") == "False":
            return Health(DEGRADED, f"{read.text(binding, 'name')}: {read.text(accepted, 'message')}")
    return Health(HEALTHY) if bindings else None


def grafana(obj: Object) -> Health:
    """`status.stage` and `status.stageStatus`"""
    status = read.mapping(obj, "status")
    stage, outcome = read.text(status, "stage"), read.text(status, "stageStatus")
    if outcome == "failed":
        return Health(DEGRADED, read.text(status, "lastMessage") or f"stage {stage} failed")
    if (stage, outcome) == ("complete", "success"):
        return Health(HEALTHY)
    return Health(PROGRESSING, f"stage {stage}" if stage else waiting_for(obj))


def collector(obj: Object) -> Health:
    """`status.scale.statusReplicas`, such as `2/3`; one in mode sidecar is Healthy"""
    status, mode = read.mapping(obj, "status"), read.text(read.mapping(obj, "spec"), "mode")
    text = read.text(read.mapping(status, "scale"), "statusReplicas")
    ready, _, wanted = text.partition("/")
    if mode == "sidecar" and status and not text:
        return Health(HEALTHY)
    if not ready.isdecimal() or not wanted.isdecimal():
        return Health(PROGRESSING, waiting_for(obj))
    message = f"{text} replicas are ready"
    if ready == wanted and (ready != "0" or mode == "daemonset"):
        return Health(HEALTHY, message)
    return Health(DEGRADED if ready == "0" else PROGRESSING, message)


def elasticsearch(obj: Object) -> Health:
    """All nodes available, then `status.phase` and `status.health`"""
    held = held_up(obj)
    if held is not None:
        return held
    status, spec = read.mapping(obj, "status"), read.mapping(obj, "spec")
    wanted = sum(read.number(nodes, "count") for nodes in read.items(spec, "nodeSets"))
    available = read.maybe_number(status, "availableNodes")
    if available is None:
        return Health(PROGRESSING if not status else UNKNOWN, waiting_for(obj))
    if available < wanted:
        return Health(PROGRESSING, f"{available} of {wanted} nodes are available")
    phase, colour = read.text(status, "phase"), read.text(status, "health")
    if phase == "Ready":
        return Health(_COLOURS.get(colour, UNKNOWN), f"the cluster is {colour or 'of unknown health'}")
    return Health(_ELASTIC_PHASES.get(phase, UNKNOWN), phase)


_COLOURS = {"green": HEALTHY, "yellow": DEGRADED, "red": DEGRADED}
_ELASTIC_PHASES = words(progressing="ApplyingChanges|MigratingData", degraded="Invalid")
_STACK = Phases(words=words(healthy="green", progressing="yellow", degraded="red", unknown="unknown"), path=("status", "health"))
_VICTORIA = Phases(
    words=words(healthy="operational", progressing="expanding", degraded="failed", suspended="paused"),
    path=("status", "updateStatus"),
    said=("status", "reason"),
)

KINDS: Final[dict[GroupKind, RuleFunction]] = {
    **kinds("monitoring.coreos.com", "Alertmanager Prometheus PrometheusAgent ThanosRuler", _MONITORING),
    **kinds("monitoring.coreos.com", "AlertmanagerConfig PodMonitor Probe PrometheusRule ScrapeConfig ServiceMonitor", bound),
    # grafana.github.io/grafana-operator/docs
    **kinds("grafana.integreatly.org", "Grafana", grafana),
    **kinds(
        "grafana.integreatly.org",
        "GrafanaDashboard",
        Conditions(good=("DashboardSynchronized",), bad=("InvalidSpec",), busy=("NoMatchingInstance",), absent=None),
    ),
    **kinds(
        "grafana.integreatly.org",
        "GrafanaDatasource",
        Conditions(good=("DatasourceSynchronized",), bad=("InvalidSpec",), busy=("NoMatchingInstance",), absent=None),
    ),
    **kinds(
        "grafana.integreatly.org",
        "GrafanaFolder",
        Conditions(good=("FolderSynchronized",), bad=("InvalidSpec",), busy=("NoMatchingInstance",), absent=None),
    ),
    **kinds("opentelemetry.io", "OpenTelemetryCollector", collector),
    # elastic.co/docs/reference/cloud-on-k8s
    **kinds("elasticsearch.k8s.elastic.co", "Elasticsearch", elasticsearch),
    **kinds("kibana.k8s.elastic.co", "Kibana", _STACK),
    **kinds("apm.k8s.elastic.co", "ApmServer", _STACK),
    **kinds("beat.k8s.elastic.co", "Beat", _STACK),
    **kinds("agent.k8s.elastic.co", "Agent", _STACK),
    **kinds("logstash.k8s.elastic.co", "Logstash", _STACK),
    # docs.victoriametrics.com/operator/api
    **kinds("operator.victoriametrics.com", "VMAgent VMAlert VMAlertmanager VMAuth VMCluster VMSingle", _VICTORIA),
    # loki-operator.dev, docs.tempo grafana.com/docs/tempo/latest/setup/operator
    **kinds("loki.grafana.com", "LokiStack", Conditions(bad=("Failed", "Degraded"), busy=("Pending",))),
    **kinds("tempo.grafana.com", "TempoStack TempoMonolithic", Conditions(bad=("Failed", "ConfigurationError"), busy=("Pending",))),
    **kinds("jaegertracing.io", "Jaeger", Phases(words=words(healthy="Running", degraded="Failed"))),
}
