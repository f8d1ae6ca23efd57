local phase = at("status", "phase")
local over = phase == "Successful" or phase == "Failed" or phase == "Error" or phase == "Inconclusive"
return {
  terminate = action("stop", "Terminate", (over and "it has come to its end") or (obj.spec.terminate and "it is being terminated already")),
}
