annotate(obj, "force-sync", now())
return obj
