-- Exit handlers do not run.
obj.spec.shutdown = "Terminate"
return obj
