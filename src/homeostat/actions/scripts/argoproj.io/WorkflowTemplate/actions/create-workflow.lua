-- What `argo submit --from=workflowtemplate/…` makes.
local metadata = {labels = {["workflows.argoproj.io/workflow-template"] = obj.metadata.name}}
return create("argoproj.io/v1alpha1", "Workflow", metadata, {workflowTemplateRef = {name = obj.metadata.name}})
