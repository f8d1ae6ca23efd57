"""Webhooks in: Git hosts and registries tell of a push, and what it concerns is looked at at once instead of at the next poll.

A request passes ``endpoint`` (limits, replays, answers), ``senders`` (who writes how), ``proofs`` (is it from there) and a reader (``forges``,
``registries``: what does it say). What comes out is a :class:`homeostat.loop.pushes.Push` or ``Published``, and the loop decides what it is worth.
Nothing here asks anything of a network, and nothing that a payload says is kept.
"""
