local automated = at("spec", "syncPolicy", "automated")
local on = automated ~= nil and automated.enabled ~= false
return {["toggle-auto-sync"] = action("sync", on and "Disable Auto-Sync" or "Enable Auto-Sync")}
