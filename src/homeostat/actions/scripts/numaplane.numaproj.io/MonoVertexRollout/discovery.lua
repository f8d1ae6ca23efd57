local paused = at("spec", "monoVertex", "spec", "lifecycle", "desiredPhase") == "Paused"
local allowed = at("spec", "monoVertex", "metadata", "annotations", "numaflow.numaproj.io/allowed-resume-strategies")
local running = not paused and "it is not paused"
local fast = running or (allowed ~= "fast" and allowed ~= "slow, fast" and "it may only be resumed slowly")
local gradual = running or (allowed == "fast" and "it may only be resumed fast")
local actions = {
  pause = action("pause", "Pause", paused and "it is paused already"),
  ["unpause-fast"] = action("play", "Unpause (fast)", fast),
  ["unpause-gradual"] = action("play", "Unpause (gradual)", gradual),
}
return actions
