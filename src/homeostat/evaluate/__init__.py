"""Runs other people's programs (overlays, charts, Jsonnet, Lua, jq) in evaluator processes with a time, memory and output limit.

The Go side is ``evaluator/`` at the top of the repository: one program around the upstream libraries. This package starts a pool of them,
speaks the frames, serves the virtual file system from a :class:`homeostat.model.tree.Tree`, and replaces a process that overruns. What a
request *means* (which options an app has, what is cached) belongs to ``desired`` and ``compare``; this package knows no app and no cluster.
"""
