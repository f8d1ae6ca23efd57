annotate(obj, "cnpg.io/reconciliationLoop", "disabled")
return obj
