local lib = import 'lib.libsonnet';

function(replicas=1) [
  lib.deployment('metrics', 'registry.example/metrics:0.9', replicas),
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'metrics' },
    data: { interval: '30s' },
  },
]
