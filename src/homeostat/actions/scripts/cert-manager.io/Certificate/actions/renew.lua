-- What `cmctl renew` does.
obj.status = obj.status or {}
local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type ~= "Issuing" then
    table.insert(conditions, condition)
  end
end
table.insert(conditions, {
  type = "Issuing",
  status = "True",
  reason = "ManuallyTriggered",
  message = "Certificate re-issuance manually triggered",
  lastTransitionTime = now(),
  observedGeneration = obj.metadata.generation,
})
obj.status.conditions = conditions
return obj
