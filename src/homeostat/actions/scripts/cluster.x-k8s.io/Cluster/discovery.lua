local actions = {}
actions.pause, actions.resume = pausing(at("spec", "paused"), "Pause Reconciliation", "Resume Reconciliation")
return actions
