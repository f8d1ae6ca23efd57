local healthy = at("status", "instancesStatus", "healthy") or {}
local actions = {
  restart = action("recycle", "Rollout Restart"),
  reload = action("rotate-right", "Reload Configuration"),
  promote = action(
    "angles-up", "Promote Replica", #healthy < 2 and "there is no second healthy instance", {{name = "instance", default = "any"}}
  ),
}
actions.suspend, actions.resume = pausing(
  annotation("cnpg.io/reconciliationLoop") == "disabled", "Suspend Reconciliation", "Resume Reconciliation"
)
return actions
