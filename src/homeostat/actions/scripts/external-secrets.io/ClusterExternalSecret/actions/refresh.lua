-- Its ExternalSecrets get these annotations, and each of them is read anew then.
obj.spec.externalSecretMetadata = obj.spec.externalSecretMetadata or {}
annotate({metadata = obj.spec.externalSecretMetadata}, "force-sync", now())
return obj
