local phase = at("status", "phase")
local over = (phase == "Succeeded" or phase == "Failed" or phase == "Error") and "it has come to its end"
local suspended = at("spec", "suspend")
local shutdown = at("spec", "shutdown") and "it is being ended already"
return {
  suspend = action("pause", "Suspend", over or (suspended and "it is suspended already")),
  resume = action("play", "Resume", over or (not suspended and "it is not suspended")),
  stop = action("stop", "Stop", over or shutdown),
  terminate = action("times-circle", "Terminate", over or shutdown),
}
