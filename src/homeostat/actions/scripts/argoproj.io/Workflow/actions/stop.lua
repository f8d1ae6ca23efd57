-- Exit handlers run.
obj.spec.shutdown = "Stop"
return obj
