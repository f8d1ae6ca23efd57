-- `instance` is a name, a number (2 is <cluster>-2), or "any": the healthy one after the primary.
local healthy = obj.status.instancesStatus.healthy
local wanted = actionParams.instance
local chosen
for place, name in ipairs(healthy) do
  if wanted == "any" and name == obj.status.currentPrimary then
    chosen = healthy[place + 1] or healthy[1]
  elseif name == wanted or name == obj.metadata.name .. "-" .. wanted then
    chosen = name
  end
end
if wanted == "any" then
  chosen = chosen or healthy[1]
end
if not chosen then
  error("instance: expected a healthy one of " .. table.concat(healthy, ", ") .. ", found " .. wanted, 0)
end
obj.status.targetPrimary = chosen
obj.status.targetPrimaryTimestamp = now()
obj.status.phase = "Switchover in progress"
obj.status.phaseReason = "Switching over to " .. chosen
return obj
