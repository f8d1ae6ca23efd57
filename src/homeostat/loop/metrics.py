"""What the loop counts, under the names that dashboards know where Argo CD has the same figure (reference 1.14)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Summary

RECONCILE = Histogram(
    "argocd_app_reconcile", "Seconds that one look at one app takes.", buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
)
SYNCS = Counter("argocd_app_sync_total", "Syncs that ended, by app and phase.", ("namespace", "name", "phase"))
DUE = Gauge("homeostat_apps_due", "Apps that wait for a worker.")
RENDERS = Counter("homeostat_renders", "Renders that ran; one that still held is not counted.")
TRACE_CHECKS = Summary("homeostat_trace_check_seconds", "Seconds that it takes to tell whether the render of one app still holds.")
WEBHOOKS = Counter(
    "argocd_webhook_requests", "Pushes that webhooks told of, by repository; only those that apps use are counted.", ("repo",)
)
