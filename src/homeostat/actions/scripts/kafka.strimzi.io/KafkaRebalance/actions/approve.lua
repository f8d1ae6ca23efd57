annotate(obj, "strimzi.io/rebalance", "approve")
return obj
