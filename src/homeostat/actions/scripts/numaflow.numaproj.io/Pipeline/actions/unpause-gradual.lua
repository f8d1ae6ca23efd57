obj.spec.lifecycle.desiredPhase = "Running"
annotate(obj, "numaflow.numaproj.io/resume-strategy", "slow")
return obj
