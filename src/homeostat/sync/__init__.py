"""Sync: what has to be done to bring live to desired, in which order, and doing it.

``plan.py`` makes a plan (pure), ``step.py`` says what comes next from what is recorded and what is live (pure), ``retry.py`` says when to try again
(pure, virtual time), ``run.py`` carries tasks out. Nothing here waits for health: that is an answer of ``step``, and whoever asked waits.
Whether an app should be synced at all is decided in ``loop``, and what an app wants or has is told by ``desired``, ``live`` and ``compare``.
"""
