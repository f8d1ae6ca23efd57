obj.spec.pipeline.spec.lifecycle.desiredPhase = "Running"
obj.spec.strategy = obj.spec.strategy or {}
obj.spec.strategy.pauseResume = obj.spec.strategy.pauseResume or {}
obj.spec.strategy.pauseResume.fastResume = true
return obj
