"""The words of this project as types: objects, apps, trees, health, drift, plans, syncs.

Pure by contract (a linter holds it so): no I/O, no clock, no Kubernetes client, no event loop. Everything above imports from here, and
nothing here imports from above. What needs the outside world to be answered does not belong in this package.
"""
