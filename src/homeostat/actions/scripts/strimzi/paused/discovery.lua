local actions = {}
actions.pause, actions.resume = pausing(
  annotation("strimzi.io/pause-reconciliation") == "true", "Pause Reconciliation", "Resume Reconciliation"
)
return actions
