"""Where desired objects come from: ``sources/`` turns a source into a tree of files, ``render/`` turns a tree into objects.

Git is spoken in ``sources/`` only. What the cluster looks like, how objects are compared and what is applied do not belong here; the scope of
a kind (namespaced or not) is handed in as a function.
"""
