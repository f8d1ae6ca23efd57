-- The job controller ends the pods of a Job with this condition, and makes it Failed.
obj.status.conditions = obj.status.conditions or {}
table.insert(obj.status.conditions, {
  type = "FailureTarget",
  status = "True",
  reason = "ManuallyTerminated",
  message = "Job was terminated explicitly through Homeostat",
  lastTransitionTime = now(),
})
return obj
