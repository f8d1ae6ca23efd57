obj.spec.restartAt = now()
return obj
