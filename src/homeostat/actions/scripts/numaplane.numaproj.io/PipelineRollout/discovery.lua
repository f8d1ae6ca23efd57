local paused = at("spec", "pipeline", "spec", "lifecycle", "desiredPhase") == "Paused"
local allowed = at("spec", "pipeline", "metadata", "annotations", "numaflow.numaproj.io/allowed-resume-strategies")
local running = not paused and "it is not paused"
local fast = running or (allowed ~= "fast" and allowed ~= "slow, fast" and "it may only be resumed slowly")
local gradual = running or (allowed == "fast" and "it may only be resumed fast")
local actions = {
  pause = action("pause", "Pause", paused and "it is paused already"),
  ["unpause-fast"] = action("play", "Unpause (fast)", fast),
  ["unpause-gradual"] = action("play", "Unpause (gradual)", gradual),
}

local loses = annotation("numaplane.numaproj.io/allow-data-loss") == "true"
local draining = at("status", "upgradeInProgress") == "PipelinePauseAndDrain"
actions["allow-data-loss"] = action("unlock", "Allow (Possible) Data Loss", not draining and "it is not being drained for an upgrade")
actions["disallow-data-loss"] = action("lock", "Disallow Data Loss", not loses and "it is not allowed")
return actions
