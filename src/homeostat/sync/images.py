"""The container images that an object asks for, as the rows of a sync's result name them."""

from __future__ import annotations

from typing import Any

from homeostat.model.objects import Object

_TEMPLATES = (("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"), ("spec",))


def images_of(obj: Object | None) -> tuple[str, ...]:
    """Images of containers, then of init containers, in their order; nothing for objects without a pod. Malformed parts are passed over."""
    if obj is None:
        return ()
    found: list[str] = []
    for path in _TEMPLATES:
        pod: Any = obj
        for field in path:
            pod = pod.get(field) if isinstance(pod, dict) else None
        if not isinstance(pod, dict):
            continue
        for field in ("containers", "initContainers"):
            containers = pod.get(field)
            for container in containers if isinstance(containers, list) else ():
                image = container.get("image") if isinstance(container, dict) else None
                if isinstance(image, str) and image:
                    found.append(image)
    return tuple(found)
