{{/* What selects the pods: never changes. */}}
{{- define "rollout.selector" -}}
app.kubernetes.io/name: rollout
app.kubernetes.io/component: controller
{{- end }}

{{/* Labels of everything. */}}
{{- define "rollout.labels" -}}
app.kubernetes.io/name: rollout
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of what belongs to the pods. */}}
{{- define "rollout.controllerLabels" -}}
{{ include "rollout.labels" . }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "rollout.image" -}}
{{- $image := .Values.image -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "rollout.host" -}}
rollout-controller.{{ .Release.Namespace }}.svc
{{- end }}

{{/* The objects of a file of rights as they hold here: their namespace, and with `namespaced` Roles for ClusterRoles. */}}
{{- define "rollout.rights" -}}
{{- $here := .here -}}
{{- range $document := splitList "\n---\n" (.here.Files.Get (printf "files/rbac/%s.yaml" .file)) }}
{{- $object := fromYaml $document }}
{{- $labels := fromYaml (include "rollout.labels" $here) }}
{{- $_ := set $object.metadata "labels" (merge $labels $object.metadata.labels) }}
{{- if hasKey $object.metadata "namespace" }}
{{- $_ := set $object.metadata "namespace" $here.Release.Namespace }}
{{- end }}
{{- range $subject := $object.subjects }}
{{- $_ := set $subject "namespace" $here.Release.Namespace }}
{{- end }}
{{- if and $here.Values.namespaced $.narrow (hasPrefix "ClusterRole" $object.kind) }}
{{- $_ := set $object "kind" (trimPrefix "Cluster" $object.kind) }}
{{- $_ := set $object.metadata "namespace" $here.Release.Namespace }}
{{- if $object.roleRef }}{{ $_ := set $object.roleRef "kind" "Role" }}{{ end }}
{{- end }}
{{- if and $here.Values.namespaced $.suffix }}
{{- $_ := set $object.metadata "name" (printf "%s-%s" $object.metadata.name $here.Release.Namespace) }}
{{- if $object.roleRef }}{{ $_ := set $object.roleRef "name" (printf "%s-%s" $object.roleRef.name $here.Release.Namespace) }}{{ end }}
{{- end }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}

{{/* Nothing, or an end of it all where two values contradict each other, which the schema cannot say. */}}
{{- define "rollout.checked" -}}
{{- $volumes := list "tls" }}
{{- range $name, $file := .Values.secretFiles }}
{{- if $file.secretName }}
{{- $volumes = append $volumes (kebabcase $name) }}
{{- if hasKey $.Values.settings $name }}
{{- fail (printf "settings.%s and secretFiles.%s.secretName both say where this file is: leave one of them out" $name $name) }}
{{- end }}
{{- if not (or $file.key (eq $name "probe_certificates")) }}
{{- fail (printf "secretFiles.%s has no key, so nothing says which file of the Secret it is: give secretFiles.%s.key" $name $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.extraVolumes }}
{{- if has .name $volumes }}
{{- fail (printf "extraVolumes has a volume called %s, and so has the chart: give it another name, here and in extraVolumeMounts" .name) }}
{{- end }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- fail "serviceMonitor and podMonitor would both scrape the same pods, and each would be counted twice: enable one" }}
{{- end }}
{{- end }}
