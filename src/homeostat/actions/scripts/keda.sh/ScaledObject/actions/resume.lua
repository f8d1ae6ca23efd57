annotate(obj, "autoscaling.keda.sh/paused", nil)
annotate(obj, "autoscaling.keda.sh/paused-replicas", nil)
return obj
