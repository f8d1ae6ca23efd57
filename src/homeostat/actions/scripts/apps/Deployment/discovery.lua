local paused = at("spec", "paused")
local actions = {
  restart = action("redo", "Restart"),
  scale = action("plus-circle", "Scale", nil, {{name = "replicas"}}),
}
actions.pause, actions.resume = pausing(paused, "Pause", "Resume")
return actions
