return {merge = action("code-merge", "Merge", at("spec", "state") ~= "open" and "it is not open")}
