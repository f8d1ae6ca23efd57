"""Homeostat keeps Kubernetes clusters in the state that Git declares."""

__version__ = "0.1.0"
