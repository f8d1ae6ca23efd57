local spec = obj.spec.pipeline.spec
spec.lifecycle = spec.lifecycle or {}
spec.lifecycle.desiredPhase = "Paused"
return obj
