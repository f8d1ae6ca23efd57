"""What a plane is made of: each component with its flags, in the order in which they start.

Pure: paths and a port in, command lines out. Why a flag is there stands beside it. Nothing listens on the network but the API server, on the
loopback address: etcd is behind a Unix socket in the plane's folder, and the others serve nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.box.files import Files

_ETCD = "unix://etcd.sock:0"
_PEER = "unix://peer.sock:0"
"""Relative to the plane's folder, in which every component runs: the path of a socket is limited to about a hundred characters. etcd wants
something like a port in an address; it becomes part of the file's name."""

_CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "persistentvolume-protection-controller",
    "persistentvolumeclaim-protection-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "replicationcontroller-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
    "validatingadmissionpolicy-status-controller",
)
"""What users' manifests lean on. Left out is what needs real nodes, disks, a cloud or metrics: KWOK plays those parts."""


@dataclass(frozen=True)
class Component:
    """One process. ``grace``: seconds that it gets between being asked to end and being killed."""

    name: str
    arguments: tuple[str, ...]
    grace: float = 5.0
    environment: tuple[tuple[str, str], ...] = ()


def components(files: Files, port: int) -> tuple[Component, ...]:
    """etcd, kube-apiserver, and then those that are clients of it."""
    return (_etcd(files), _apiserver(files, port), _controllers(files), _scheduler(files), _kwok(files))


def _etcd(files: Files) -> Component:
    return Component(
        "etcd",
        (
            f"--data-dir={files.etcd}",
            "--name=box",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            f"--listen-peer-urls={_PEER}",
            f"--initial-advertise-peer-urls={_PEER}",
            f"--initial-cluster=box={_PEER}",
            # A write costs a fraction. What it risks is the last seconds of a box when the whole machine goes down, not when etcd does.
            "--unsafe-no-fsync",
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
        ),
        grace=10.0,
    )


def _apiserver(files: Files, port: int) -> Component:
    return Component(
        "kube-apiserver",
        (
            f"--etcd-servers={_ETCD}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={files.certificate('kube-apiserver')}",
            f"--tls-private-key-file={files.key('kube-apiserver')}",
            f"--token-auth-file={files.tokens}",
            "--authorization-mode=RBAC",
            f"--service-account-key-file={files.key('service-accounts')}",
            f"--service-account-signing-key-file={files.key('service-accounts')}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--allow-privileged=true",
            # There is no network in which 10.0.0.1 could lead to this process.
            "--endpoint-reconciler-type=none",
            # It would taint every new node as not ready, and the controller that takes the taint away needs real nodes.
            "--disable-admission-plugins=TaintNodesByCondition",
            "--profiling=false",
        ),
        grace=10.0,
        # Measured: a quarter less CPU per write, for 90 MB. More of it saves nothing more.
        environment=(("GOGC", "200"),),
    )


def _client_flags(files: Files, name: str) -> tuple[str, ...]:
    return (
        f"--kubeconfig={files.component_kubeconfig(name)}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--profiling=false",
    )


def _controllers(files: Files) -> Component:
    name = "kube-controller-manager"
    return Component(
        name,
        (
            *_client_flags(files, name),
            f"--service-account-private-key-file={files.key('service-accounts')}",
            f"--root-ca-file={files.certificate('ca')}",
            f"--controllers={','.join(_CONTROLLERS)}",
        ),
    )


def _scheduler(files: Files) -> Component:
    return Component("kube-scheduler", _client_flags(files, "kube-scheduler"))


def _kwok(files: Files) -> Component:
    return Component(
        "kwok",
        (
            f"--kubeconfig={files.component_kubeconfig('kwok')}",
            "--manage-all-nodes=true",
            f"--config={files.stages}",
            "--v=WARN",
        ),
    )
