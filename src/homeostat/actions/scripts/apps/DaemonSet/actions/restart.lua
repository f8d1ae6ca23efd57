annotate(obj.spec.template, "kubectl.kubernetes.io/restartedAt", now())
return obj
