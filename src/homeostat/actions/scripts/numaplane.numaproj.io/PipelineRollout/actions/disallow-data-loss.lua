annotate(obj, "numaplane.numaproj.io/allow-data-loss", "false")
return obj
