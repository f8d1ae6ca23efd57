return {["create-workflow"] = action("plus", "Create Workflow", nil, {{name = "namespace"}})}
