annotate(obj, "crossplane.io/paused", "true")
return obj
