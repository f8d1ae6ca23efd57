local issuing
for _, condition in ipairs(at("status", "conditions") or {}) do
  if condition.type == "Issuing" and condition.status == "True" then
    issuing = "it is being issued already"
  end
end
return {renew = action("redo", "Renew", issuing)}
