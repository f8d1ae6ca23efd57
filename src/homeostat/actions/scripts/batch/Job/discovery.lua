local done
for _, condition in ipairs(at("status", "conditions") or {}) do
  local ends = condition.type == "Complete" or condition.type == "Failed" or condition.type == "FailureTarget" or condition.type == "SuccessCriteriaMet"
  if ends and condition.status == "True" then
    done = "it has come to its end"
  end
end

local suspended = at("spec", "suspend")
return {
  suspend = action("pause", "Suspend", done or (suspended and "it is suspended already")),
  resume = action("play", "Resume", done or (not suspended and "it is not suspended")),
  terminate = action("stop", "Terminate", done or (obj.status == nil and "it has not begun")),
}
