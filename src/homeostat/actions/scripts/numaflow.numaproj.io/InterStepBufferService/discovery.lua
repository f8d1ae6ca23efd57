local actions = {}
local state = at("metadata", "labels", "numaplane.numaproj.io/upgrade-state")
local upgrading = state == "in-progress" or state == "trial"
local forced = at("metadata", "labels", "numaplane.numaproj.io/force-promote") == "true"
actions["force-promote"] = action(
  "forward", "Force Promote", (not upgrading and "no upgrade is under way") or (forced and "it is asked for already")
)
return actions
