{{- define "common.configmap" -}}
{{- $top := first . -}}
{{- $overrides := fromYaml (include (index . 1) $top) | default (dict) -}}
{{- $base := fromYaml (include "common.base" $top) -}}
{{- toYaml (merge $overrides $base) -}}
{{- end -}}
{{- define "common.base" -}}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-common}
data: {base: "yes"}
{{- end -}}
