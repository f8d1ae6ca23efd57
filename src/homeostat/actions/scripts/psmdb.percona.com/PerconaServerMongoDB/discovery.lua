local actions = {}
actions.pause, actions.unpause = pausing(at("spec", "pause"), "Pause", "Unpause")
return actions
