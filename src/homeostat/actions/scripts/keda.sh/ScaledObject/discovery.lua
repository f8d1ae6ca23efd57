local paused = annotation("autoscaling.keda.sh/paused") == "true"
local fixed = annotation("autoscaling.keda.sh/paused-replicas")
local actions = {
  ["paused-replicas"] = action(
    "pause-circle", "Pause at Replicas", paused and "it is paused already", {{name = "replicas", default = fixed or "0"}}
  ),
}
actions.pause, actions.resume = pausing(paused or fixed ~= nil, "Pause", "Resume")
return actions
