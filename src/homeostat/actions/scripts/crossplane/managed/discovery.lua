-- Only what a provider manages: not providers, compositions or definitions.
if not at("spec", "forProvider") then
  return {}
end
local actions = {}
actions.pause, actions.resume = pausing(annotation("crossplane.io/paused") == "true", "Pause Reconciliation", "Resume Reconciliation")
return actions
