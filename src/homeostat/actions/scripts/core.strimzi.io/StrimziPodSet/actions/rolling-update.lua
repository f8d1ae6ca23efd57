annotate(obj, "strimzi.io/manual-rolling-update", "true")
return obj
