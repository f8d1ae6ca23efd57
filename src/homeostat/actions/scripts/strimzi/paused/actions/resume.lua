annotate(obj, "strimzi.io/pause-reconciliation", nil)
return obj
