"""Argo CD's API: reads its resources into apps, writes their status back, installs its custom resource definitions.

What users and their tools see of it is Argo CD's own: fields, annotations, finalizers, condition types, reasons, the shape of the status
(``docs/differences.md`` says where not). What is *done* with an app (render, compare, sync) does not belong here: the loop does that and knows
this package only as :class:`homeostat.loop.seam.Apps`.
"""
