annotate(obj, "numaplane.numaproj.io/allow-data-loss", "true")
return obj
