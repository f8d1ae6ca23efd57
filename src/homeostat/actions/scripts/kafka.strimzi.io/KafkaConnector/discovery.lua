local actions = {restart = action("redo", "Restart", annotation("strimzi.io/restart") and "it is asked for already")}
actions.pause, actions.resume = pausing(
  annotation("strimzi.io/pause-reconciliation") == "true", "Pause Reconciliation", "Resume Reconciliation"
)
return actions
