local spec = obj.spec.monoVertex.spec
spec.lifecycle = spec.lifecycle or {}
spec.lifecycle.desiredPhase = "Paused"
return obj
