annotate(obj, "strimzi.io/rebalance", "refresh")
return obj
