local actions = {}
actions.pause, actions.resume = pausing(annotation("autoscaling.keda.sh/paused") == "true", "Pause", "Resume")
return actions
