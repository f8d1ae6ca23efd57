-- Numaplane deletes it then.
annotate(obj, "numaplane.numaproj.io/marked-for-deletion", "true")
return obj
