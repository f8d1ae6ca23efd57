local actions = {}
actions.suspend, actions.resume = pausing(at("spec", "suspend"), "Suspend", "Resume")
return actions
