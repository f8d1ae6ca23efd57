annotate(obj, "strimzi.io/restart", "true")
return obj
