obj.spec.replicas = replicas()
return obj
