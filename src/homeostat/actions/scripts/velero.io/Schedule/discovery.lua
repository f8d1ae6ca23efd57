local actions = {}
actions.pause, actions.resume = pausing(at("spec", "paused"), "Pause", "Resume")
return actions
