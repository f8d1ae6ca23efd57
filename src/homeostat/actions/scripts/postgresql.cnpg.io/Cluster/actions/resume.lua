annotate(obj, "cnpg.io/reconciliationLoop", nil)
return obj
