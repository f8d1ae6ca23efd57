-- What `kubectl create job --from` makes.
local template = obj.spec.jobTemplate
local metadata = {labels = at("spec", "jobTemplate", "metadata", "labels"), annotations = at("spec", "jobTemplate", "metadata", "annotations")}
annotate({metadata = metadata}, "cronjob.kubernetes.io/instantiate", "manual")
return create("batch/v1", "Job", metadata, template.spec, true)
