obj.spec.monoVertex.spec.lifecycle.desiredPhase = "Running"
obj.spec.strategy = obj.spec.strategy or {}
obj.spec.strategy.pauseResume = obj.spec.strategy.pauseResume or {}
obj.spec.strategy.pauseResume.fastResume = false
return obj
