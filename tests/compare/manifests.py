"""Desired objects as people write them: with what the server will spell differently, and without what it will add."""

from __future__ import annotations

from tests.compare.server import manifest

DEPLOYMENT = manifest("""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {argocd.argoproj.io/tracking-id: "web:apps/Deployment:x/web", empty: ""}
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  strategy: {}
  template:
    metadata: {labels: {app: web}, creationTimestamp: null}
    spec:
      nodeSelector: null
      tolerations: []
      securityContext: {}
      initContainers:
      - {name: prepare, image: registry.example/prepare:1, command: [sh, -c, "true"]}
      containers:
      - name: web
        image: registry.example/web:1.0
        args: [--verbose, --port=8080]
        ports: [{containerPort: 8080}, {containerPort: 9090, name: metrics}]
        env:
        - {name: A, value: "1"}
        - {name: EMPTY, value: ""}
        - name: FROM
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        resources: {limits: {cpu: 1000m, memory: 1024Mi}, requests: {cpu: "0.1", memory: 0.5Gi}}
        livenessProbe: {httpGet: {path: /, port: 8080}}
        readinessProbe: {httpGet: {path: /, port: metrics}, periodSeconds: 5}
        volumeMounts: [{name: data, mountPath: /data}]
      - name: sidecar
        image: registry.example/sidecar
      volumes:
      - {name: data, emptyDir: {}}
      - name: config
        configMap: {name: web, items: [{key: a, path: a}]}
status: {}
""")

MANIFESTS = {
    "deployment": DEPLOYMENT,
    "stateful set": manifest("""
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 0
  selector: {matchLabels: {app: db}}
  updateStrategy: {}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "registry.example/db:1", ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1000Mi}}}
"""),
    "service": manifest("""
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: dns, port: 53, protocol: UDP, targetPort: dns}]
"""),
    "ingress": manifest("""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  rules:
  - host: web.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
  tls: [{hosts: [web.example], secretName: web}]
"""),
    "network policy": manifest("""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]}
"""),
    "horizontal pod autoscaler": manifest("""
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  maxReplicas: 5
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics:
  - {type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 80}}}
  - {type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 0.5}}}
"""),
    "pod disruption budget": manifest("""
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 50%, selector: {matchLabels: {app: web}}}
"""),
    "secret with texts": manifest("""
apiVersion: v1
kind: Secret
metadata: {name: texts}
type: Opaque
stringData: {password: planted-secret, config: "a: 1\\n"}
"""),
    "secret with data": manifest("""
apiVersion: v1
kind: Secret
metadata: {name: data}
data: {password: cGxhbnRlZC1zZWNyZXQ=}
"""),
    "config map": manifest("""
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {a: "1", empty: "", long: "x\\ny\\n"}
binaryData: {b: AAE=}
"""),
    "role": manifest("""
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
"""),
    "role binding": manifest("""
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: default}]
"""),
    "cron job": manifest("""
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    metadata: {creationTimestamp: null}
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: registry.example/job:latest}]}}}
"""),
    "service account": manifest("""
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
imagePullSecrets: [{name: registry}]
"""),
    "persistent volume claim": manifest("""
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2048Mi}}}
"""),
    "resource quota": manifest("""
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota}
spec: {hard: {requests.cpu: "1000m", pods: 10.0}}
"""),
    "limit range": manifest("""
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec: {limits: [{type: Container, default: {cpu: 0.5}, max: {memory: 1024Mi}}]}
"""),
}
