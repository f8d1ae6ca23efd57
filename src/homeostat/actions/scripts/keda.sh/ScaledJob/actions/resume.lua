annotate(obj, "autoscaling.keda.sh/paused", nil)
return obj
