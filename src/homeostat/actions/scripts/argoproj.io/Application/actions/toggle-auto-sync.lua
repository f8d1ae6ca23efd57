obj.spec.syncPolicy = obj.spec.syncPolicy or {}
local automated = obj.spec.syncPolicy.automated
if automated == nil then
  obj.spec.syncPolicy.automated = {enabled = true}
else
  automated.enabled = automated.enabled == false
end
return obj
