"""Manifests that many tests need."""

from __future__ import annotations


def config(name: str, **data: str) -> str:
    """A ConfigMap as YAML."""
    lines = "".join(f"  {key}: {value!r}\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n{lines}"
