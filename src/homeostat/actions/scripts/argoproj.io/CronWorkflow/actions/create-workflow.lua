-- What `argo submit --from=cronwf/…` makes.
local given = obj.spec.workflowMetadata or {}
local metadata = {labels = given.labels or {}, annotations = given.annotations or {}, finalizers = given.finalizers}
metadata.labels["workflows.argoproj.io/cron-workflow"] = obj.metadata.name
metadata.labels["workflows.argoproj.io/controller-instanceid"] = at("metadata", "labels", "workflows.argoproj.io/controller-instanceid")
metadata.annotations["workflows.argoproj.io/scheduled-time"] = now()
return create("argoproj.io/v1alpha1", "Workflow", metadata, obj.spec.workflowSpec)
