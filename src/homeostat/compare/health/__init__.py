"""Health: is a live object doing its job, and so is its app?

One small pure function per kind of Kubernetes, in files by subject (``workloads``, ``pods``, ``jobs``, …); ``custom`` has the rules for custom
resources, most of them a line of data of a shape (``shapes``); ``kstatus`` judges what nobody knows. ``builtin`` puts these three in order,
``scripts`` the operator's Lua before them, and ``app`` makes one health of many. The rules for Kubernetes' kinds and their messages are Argo
CD's: tools and people read both. A rule sees one object and nothing else: no other objects, no clock.
"""
