obj.status.promoteFull = true
return obj
