annotate(obj, "autoscaling.keda.sh/paused", "true")
return obj
