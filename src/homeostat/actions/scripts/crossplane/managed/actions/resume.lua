annotate(obj, "crossplane.io/paused", nil)
return obj
