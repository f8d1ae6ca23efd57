"""Live: the only package that talks to Kubernetes. Client, discovery, watches, and the index that watches keep current.

What to do with a live object (compare it, judge its health, change it) does not belong here, and neither does anything about an app beyond
its id. ``index.py`` and ``relations.py`` do no I/O; everything that waits for a server is in the other modules.
"""
