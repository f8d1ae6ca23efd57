local state
for _, condition in ipairs(at("status", "conditions") or {}) do
  if condition.status == "True" then
    state = condition.type
  end
end
local ready = state == "ProposalReady"
local running = state == "Rebalancing" or state == "PendingProposal"
return {
  approve = action("check", "Approve", not ready and "there is no proposal to approve"),
  refresh = action("redo", "Refresh", running and "it is running"),
  stop = action("stop", "Stop", not running and "it is not running"),
}
