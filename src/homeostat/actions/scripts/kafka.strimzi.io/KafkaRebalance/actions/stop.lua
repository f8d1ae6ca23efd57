annotate(obj, "strimzi.io/rebalance", "stop")
return obj
