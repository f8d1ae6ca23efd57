local actions = {["create-job"] = action("plus", "Create Job")}
actions.suspend, actions.resume = pausing(at("spec", "suspend"), "Suspend", "Resume")
return actions
