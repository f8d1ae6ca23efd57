"""Argo CD's custom resources as structs: one module per part of the API, snake case here, camel case on the wire.

The CRD schemas in ``deploy/crds`` are generated from these (``argo/crds.py``): a field without a default is required there, and a field that
is not named here is pruned by the API server, so every field of Argo CD 3.5 is named. Values keep the wire's own types; what they *mean*
(durations, globs, which of two fields wins) is decided by the modules that read them.
"""
