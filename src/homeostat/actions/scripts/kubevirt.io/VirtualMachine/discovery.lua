local strategy = at("spec", "runStrategy")
local on = at("spec", "running") or (strategy ~= nil and strategy ~= "Halted")
local manual = strategy == "Manual" and "its runStrategy is Manual: `virtctl` starts and stops it"
return {
  start = action("play", "Start", manual or (on and "it is meant to run already")),
  stop = action("stop", "Stop", manual or (not on and "it is stopped already")),
}
