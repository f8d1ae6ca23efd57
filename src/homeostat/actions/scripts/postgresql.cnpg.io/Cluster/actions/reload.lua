annotate(obj, "cnpg.io/reloadedAt", now())
return obj
