"""Telling hooks apart, as far as health needs it. When a hook runs, and what follows from it, is planned in ``sync``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from homeostat.model.objects import annotations_of

HOOK: Final = "argocd.argoproj.io/hook"
HELM_HOOK: Final = "helm.sh/hook"
HOOK_FINALIZER: Final = "argocd.argoproj.io/hook-finalizer"


def is_hook(obj: Mapping[str, Any]) -> bool:
    """Whether ``obj`` is a hook of Argo CD or Helm, of a known type or not. Helm's ``crd-install`` is a plain object."""
    annotations = annotations_of(obj)
    if HOOK in annotations:
        return not is_skipped(obj)
    return annotations.get(HELM_HOOK, "crd-install") != "crd-install"


def is_skipped(obj: Mapping[str, Any]) -> bool:
    """Whether ``obj`` is never to be applied: its only hook type is ``Skip``."""
    return annotations_of(obj).get(HOOK, "").strip() == "Skip"


def has_finalizer(obj: Mapping[str, Any]) -> bool:
    """Whether a hook's end is still to be seen by us, although it is being deleted."""
    return HOOK_FINALIZER in ((obj.get("metadata") or {}).get("finalizers") or ())
