local paused = at("spec", "lifecycle", "desiredPhase") == "Paused"
local allowed = at("spec", "metadata", "annotations", "numaflow.numaproj.io/allowed-resume-strategies")
local running = not paused and "it is not paused"
local fast = running or (allowed ~= "fast" and allowed ~= "slow, fast" and "it may only be resumed slowly")
local gradual = running or (allowed == "fast" and "it may only be resumed fast")
local actions = {
  pause = action("pause", "Pause", paused and "it is paused already"),
  ["unpause-fast"] = action("play", "Unpause (fast)", fast),
  ["unpause-gradual"] = action("play", "Unpause (gradual)", gradual),
}

local state = at("metadata", "labels", "numaplane.numaproj.io/upgrade-state")
local upgrading = state == "in-progress" or state == "trial"
local forced = at("metadata", "labels", "numaplane.numaproj.io/force-promote") == "true"
actions["force-promote"] = action(
  "forward", "Force Promote", (not upgrading and "no upgrade is under way") or (forced and "it is asked for already")
)

local recyclable = state == "recyclable"
actions.delete = action("trash", "Delete", not recyclable and "it is not recyclable")
return actions
