"""Databases, queues and caches that operators run: PostgreSQL, MySQL, MongoDB, Cassandra, ClickHouse, Kafka, RabbitMQ, Redis."""

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

# cloudnative-pg.io/documentation: the phases are sentences.
_CNPG = Phases(
    words=words(
        healthy="Cluster in healthy state",
        progressing="Setting up primary|Creating a new replica|Upgrading cluster|Waiting for the instances to become active"
        "|Promoting to primary cluster",
        degraded="Switchover in progress|Failing over|Upgrading Postgres major version|Cluster upgrade delayed|Waiting for user action"
        "|Primary instance is being restarted in-place|Primary instance is being restarted without a switchover"
        "|Cluster cannot execute instance online upgrade due to missing architecture binary|Online upgrade in progress|Applying configuration",
        suspended="Unable to create required cluster objects|Cluster has incomplete or invalid image catalog"
        "|Cluster cannot proceed to reconciliation due to an unknown plugin being required"
        "|Cluster is unrecoverable and needs manual intervention",
    ),
    said=("status", "phaseReason"),
    other=UNKNOWN,
)


def cnpg_cluster(obj: Object) -> Health | None:
    """`status.phase`; Suspended while hibernated, or with the annotation `cnpg.io/reconciliation: disabled`"""
    if read.mapping(obj, "metadata", "annotations").get("cnpg.io/reconciliation") == "disabled":
        return Health(SUSPENDED, "the annotation cnpg.io/reconciliation disables it")
    hibernation = read.condition(read.mapping(obj, "status"), "cnpg.io/hibernation")
    if hibernation is not None:
        return Health(SUSPENDED if hibernation.get("status") == "True" else DEGRADED, read.text(hibernation, "message"))
    return _CNPG(obj)


def cnpg_pooler(obj: Object) -> Health:
    """`status.instances` against `spec.instances`"""
    ready = read.maybe_number(read.mapping(obj, "status"), "instances")
    wanted = read.maybe_number(read.mapping(obj, "spec"), "instances")
    wanted = 1 if wanted is None else wanted
    if ready is None:
        return Health(PROGRESSING, waiting_for(obj))
    return Health(HEALTHY if ready >= wanted else PROGRESSING, f"{ready} of {wanted} instances")


def applied(obj: Object) -> Health | None:
    """The boolean `status.applied`"""
    held = held_up(obj)
    status = read.mapping(obj, "status")
    if held is not None or status.get("applied") is None:
        return held or Health(PROGRESSING, waiting_for(obj))
    return Health(HEALTHY if read.flag(status, "applied") else DEGRADED, read.text(status, "message"))


def crunchy_cluster(obj: Object) -> Health:
    """All instances of `status.instances` are ready; Suspended by `spec.shutdown`"""
    held = held_up(obj, ("spec", "shutdown"))
    if held is not None:
        return held
    sets = read.items(read.mapping(obj, "status"), "instances")
    for one in sets:
        ready, wanted = read.number(one, "readyReplicas"), read.number(one, "replicas")
        if ready < wanted or read.number(one, "updatedReplicas") < wanted:
            return Health(PROGRESSING, f"{read.text(one, 'name')}: {ready} of {wanted} instances are ready")
    return Health(HEALTHY) if sets else Health(PROGRESSING, waiting_for(obj))


_ZALANDO = words(healthy="Running", progressing="Creating|Updating")
_PERCONA = words(healthy="ready", progressing="initializing|stopping", degraded="error", suspended="paused", unknown="unknown")


def percona(obj: Object) -> Health:
    """`status.state`; the message counts the nodes that are ready"""
    status = read.mapping(obj, "status")
    state = read.text(status, "state")
    ready, size = status.get("ready"), status.get("size")
    counted = f"{ready}/{size} node(s) are ready" if isinstance(ready, int) and isinstance(size, int) else state
    return Health(_PERCONA.get(state, UNKNOWN) if state else PROGRESSING, counted or waiting_for(obj))


def mariadb(obj: Object) -> Health:
    """No condition is False; one that is, for the reason Failed, is Degraded"""
    held = held_up(obj)
    found = by_type(read.mapping(obj, "status"))
    if held is not None or not found:
        return held or Health(PROGRESSING, waiting_for(obj))
    for condition in found.values():
        if condition.get("status") == "False":
            return Health(DEGRADED if condition.get("reason") == "Failed" else PROGRESSING, read.text(condition, "message"))
    return Health(HEALTHY, read.text(next(iter(found.values())), "message"))


def rabbitmq_cluster(obj: Object) -> Health:
    """Conditions ReconcileSuccess, ClusterAvailable, AllReplicasReady; Suspended when scaled to nothing"""
    held = held_up(obj)
    if held is not None:
        return held
    found = by_type(read.mapping(obj, "status"))
    failed = found.get("ReconcileSuccess", {})
    if failed.get("status") == "False":
        return Health(DEGRADED, read.text(failed, "message") or read.text(failed, "reason"))
    replicas = found.get("AllReplicasReady", {})
    if replicas.get("reason") == "ScaledToZero" and read.mapping(obj, "spec").get("replicas") == 0:
        return Health(SUSPENDED, "RabbitmqCluster is scaled to nothing")
    for kind in ("ClusterAvailable", "AllReplicasReady"):
        condition = found.get(kind, {})
        if condition.get("status") != "True":
            return Health(PROGRESSING, read.text(condition, "message") or read.text(condition, "reason") or waiting_for(obj))
    return Health(HEALTHY)


# strimzi.io/docs: NotReady stands beside Ready, and is True for the reason Creating until the first pods are up.
def strimzi(obj: Object) -> Health:
    """Condition Ready, or NotReady, which is Progressing for the reason Creating"""
    held = held_up(obj)
    found = by_type(read.mapping(obj, "status"))
    failed = found.get("NotReady", {})
    if held is None and failed.get("status") == "True" and failed.get("reason") != "Creating":
        return Health(DEGRADED, read.text(failed, "message") or read.text(failed, "reason"))
    paused = found.get("ReconciliationPaused", {})
    if paused.get("status") == "True":
        return Health(SUSPENDED, "its reconciliation is paused")
    ready = found.get("Ready", {})
    if held is None and ready.get("status") == "True":
        return Health(HEALTHY, read.text(ready, "message"))
    return held or Health(PROGRESSING, read.text(ready, "message") or waiting_for(obj))


_REBALANCE = {"Ready": HEALTHY, "ProposalReady": SUSPENDED, "Stopped": SUSPENDED, "NotReady": DEGRADED}


def kafka_rebalance(obj: Object) -> Health:
    """The type of the condition that is True: Ready, ProposalReady (waits for approval), PendingProposal, Rebalancing, NotReady, Stopped"""
    for kind, condition in by_type(read.mapping(obj, "status")).items():
        if condition.get("status") == "True" and kind != "ReconciliationPaused":
            return Health(_REBALANCE.get(str(kind), PROGRESSING), read.text(condition, "message") or str(kind))
    return Health(PROGRESSING, waiting_for(obj))


_MONGODB = words(healthy="Running", progressing="Pending|Reconciling", degraded="Failed|Unsupported", suspended="Stopped|Disabled")
_INNODB = words(
    healthy="ONLINE",
    progressing="PENDING|INITIALIZING|FINALIZING",
    degraded="ONLINE_PARTIAL|ONLINE_UNCERTAIN|OFFLINE|NO_QUORUM|INVALID|SPLIT_BRAIN",
)
_CASSANDRA = Phases(words=words(healthy="Ready", progressing="Updating"), path=("status", "cassandraOperatorProgress"))
_CLICKHOUSE = words(healthy="Completed", progressing="InProgress|Terminating", degraded="Aborted|Failed")
_REDIS_ENTERPRISE = words(healthy="Running", degraded="Invalid|InvalidUpgrade|Error|RunningError|DeletingError")

KINDS: Final[dict[GroupKind, RuleFunction]] = {
    **kinds("postgresql.cnpg.io", "Cluster", cnpg_cluster),
    **kinds("postgresql.cnpg.io", "Pooler", cnpg_pooler),
    **kinds("postgresql.cnpg.io", "ScheduledBackup", Conditions(absent=None, suspend=("spec", "suspend"))),
    **kinds(
        "postgresql.cnpg.io",
        "Backup",
        Phases(words=words(healthy="completed", degraded="failed|walArchivingFailing"), said=("status", "error")),
    ),
    **kinds("postgresql.cnpg.io", "Database Publication Subscription", applied),
    # opensource.zalando.com/postgres-operator; everything else that it says is a failure
    **kinds("acid.zalan.do", "postgresql", Phases(words=_ZALANDO, path=("status", "PostgresClusterStatus"), other=DEGRADED)),
    **kinds("postgres-operator.crunchydata.com", "PostgresCluster", crunchy_cluster),
    # docs.percona.com: the operators share these words
    **kinds("pxc.percona.com", "PerconaXtraDBCluster", percona),
    **kinds("psmdb.percona.com", "PerconaServerMongoDB", percona),
    **kinds("ps.percona.com", "PerconaServerMySQL", percona),
    **kinds("pgv2.percona.com", "PerconaPGCluster", percona),
    **kinds("k8s.mariadb.com", "MariaDB MaxScale", mariadb),
    **kinds("k8s.mariadb.com", "Database Grant User", READY),
    **kinds("mysql.oracle.com", "InnoDBCluster", Phases(words=_INNODB, path=("status", "cluster", "status"))),
    **kinds("mongodbcommunity.mongodb.com", "MongoDBCommunity", Phases(words=_MONGODB)),
    **kinds("mongodb.com", "MongoDB MongoDBMultiCluster MongoDBUser", Phases(words=_MONGODB | words(healthy="Updated"))),
    **kinds("cassandra.datastax.com", "CassandraDatacenter", _CASSANDRA),
    **kinds(
        "scylla.scylladb.com",
        "ScyllaCluster",
        Conditions(good=("Available",), bad=("Degraded",), busy=("Progressing",), when_false=PROGRESSING),
    ),
    **kinds(
        "clickhouse.altinity.com", "ClickHouseInstallation", Phases(words=_CLICKHOUSE, path=("status", "status"), said=("status", "error"))
    ),
    # strimzi.io/docs/operators/latest/configuring
    **kinds("kafka.strimzi.io", "Kafka KafkaBridge KafkaConnect KafkaConnector KafkaMirrorMaker2 KafkaTopic KafkaUser", strimzi),
    **kinds("kafka.strimzi.io", "KafkaRebalance", kafka_rebalance),
    # rabbitmq.com/kubernetes/operator
    **kinds("rabbitmq.com", "RabbitmqCluster", rabbitmq_cluster),
    **kinds("rabbitmq.com", "Binding Exchange Permission Policy Queue User Vhost", READY),
    **kinds("app.redislabs.com", "RedisEnterpriseCluster", Phases(words=_REDIS_ENTERPRISE, path=("status", "state"))),
    **kinds(
        "app.redislabs.com",
        "RedisEnterpriseDatabase",
        Phases(words=words(healthy="active", degraded="creation-failed|import-failed"), path=("status", "status")),
    ),
    **kinds(
        "redis.redis.opstreelabs.in",
        "RedisCluster",
        Phases(words=words(healthy="Ready", degraded="Failed"), path=("status", "state"), said=("status", "reason")),
    ),
}
