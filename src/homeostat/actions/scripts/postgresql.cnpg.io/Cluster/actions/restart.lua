annotate(obj, "kubectl.kubernetes.io/restartedAt", now())
return obj
