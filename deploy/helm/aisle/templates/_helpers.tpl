{{/* Names, labels and checks that templates share. */}}

{{- define "aisle.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for what Kubernetes appends to the names of pods: a node's id has 64 characters. */}}
{{- define "aisle.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "aisle.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "aisle.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "aisle.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aisle.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aisle.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "aisle.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "aisle.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "aisle.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "aisle.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "aisle.rados" -}}
{{- if hasPrefix "rados://" .Values.blobs.url }}true{{ end }}
{{- end }}

{{/* The engine's values are complete: what the schema cannot say, because it depends on the URL. */}}
{{- define "aisle.check" -}}
{{- if include "aisle.rados" . }}
{{- $_ := required "blobs.rados.configMap: name the ConfigMap with ceph.conf" .Values.blobs.rados.configMap }}
{{- $_ := required "blobs.rados.keyringSecret: name the Secret with the keyring" .Values.blobs.rados.keyringSecret }}
{{- else }}
{{- $_ := required "blobs.s3.existingSecret: name the Secret with the keys of the bucket" .Values.blobs.s3.existingSecret }}
{{- end }}
{{- if and .Values.index.tls.secret .Values.index.tls.configMap }}
{{- fail "index.tls: a Secret or a ConfigMap, not both" }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling: minReplicas is above maxReplicas" }}
{{- end }}
{{- end }}
