annotate(obj, "reconcile.fluxcd.io/requestedAt", now())
return obj
