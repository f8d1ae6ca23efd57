-- What `argo submit --from=clusterworkflowtemplate/…` makes.
local metadata = {
  namespace = actionParams.namespace,
  labels = {["workflows.argoproj.io/cluster-workflow-template"] = obj.metadata.name},
}
return create("argoproj.io/v1alpha1", "Workflow", metadata, {workflowTemplateRef = {name = obj.metadata.name, clusterScope = true}})
