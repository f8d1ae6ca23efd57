"""Whether what lies in a repository would do: everything in it is rendered and held against the schemas of a Kubernetes version.

Needs no cluster. Pure but for the bundle script (``bundle.py``), which asks an API server for its schemas once per version.
"""
