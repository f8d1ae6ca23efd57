-- It begins with the least replicas that it may have.
obj.spec.lifecycle.desiredPhase = "Running"
obj.spec.replicas = nil
return obj
