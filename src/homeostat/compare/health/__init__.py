"""Health: is a live object doing its job, and so is its app?

One small pure function per kind, in files by subject (``workloads``, ``pods``, ``jobs``, …); ``builtin`` lists them; ``scripts`` puts the
operator's Lua before them; ``app`` makes one health of many. The rules and their messages are Argo CD's: tools and people read both. A rule
sees one object and nothing else: no other objects, no clock.
"""
