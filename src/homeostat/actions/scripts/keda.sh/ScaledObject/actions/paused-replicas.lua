annotate(obj, "autoscaling.keda.sh/paused-replicas", tostring(replicas()))
return obj
