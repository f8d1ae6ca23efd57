-- An interval of 0 means: once, and never again. There is no string library here to read one with.
local interval = tostring(at("spec", "refreshInterval"))
local never
for _, unit in ipairs({"", "ns", "us", "µs", "ms", "s", "m", "h", "h0m0s", "m0s"}) do
  if interval == "0" .. unit then
    never = "its refreshInterval is 0: it is read once"
  end
end

if at("spec", "refreshPolicy") == "OnChange" then
  never = nil
end
return {refresh = action("redo", "Refresh", never)}
