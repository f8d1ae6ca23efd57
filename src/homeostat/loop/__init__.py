"""The loop: which app is due, who runs it, what is decided.

    source ──revision──▶ tree ──render──▶ desired ─┐
                                                   ├─ compare ─▶ drift, health ─▶ decide ─▶ plan ─▶ sync ─▶ live
    cluster ──watch────▶ live index ───────────────┘                                    └─▶ status, events, metrics

Level-based: the queue holds app keys, never payloads, and a worker looks at the world as it is now. One module per stage of the picture;
``reconcile`` walks through them, ``engine`` runs the workers and says what is due. Which custom resource an app came from, and how its status
is written, belongs to the API packages above (``argo``, ``flux``), which the loop sees only as :class:`homeostat.loop.seam.Apps`.
"""
