return {["create-workflow"] = action("plus", "Create Workflow")}
