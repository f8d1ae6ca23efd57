annotate(obj, "strimzi.io/pause-reconciliation", "true")
return obj
