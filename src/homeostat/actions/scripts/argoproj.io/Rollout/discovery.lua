local waits = at("status", "pauseConditions")
local paused
if waits ~= nil then
  paused = next(waits) ~= nil
else
  paused = at("spec", "paused")
end
local promoted = at("status", "currentPodHash") == at("status", "stableRS") and "it is promoted fully"
local aborted = at("status", "abort")
local steps = at("spec", "strategy", "canary", "steps")
local stepless = not steps and "it has no canary steps"
return {
  restart = action("redo", "Restart Pods"),
  resume = action("play", "Resume", not paused and "it is not paused"),
  pause = action("pause", "Pause", promoted or (aborted and "it is aborted") or (at("spec", "paused") and "it is paused already")),
  abort = action("stop", "Abort", promoted or (aborted and "it is aborted already")),
  retry = action("undo", "Retry", promoted or (not aborted and "it is not aborted")),
  ["promote-full"] = action("angle-double-up", "Promote Full", obj.status == nil and "it has not begun" or promoted),
  ["skip-current-step"] = action(
    "forward", "Skip Current Step", stepless or (at("status", "currentStepIndex") == #steps and "it has taken its last step")
  ),
}
