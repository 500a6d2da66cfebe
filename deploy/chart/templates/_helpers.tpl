{{- define "docent.labels" -}}
app.kubernetes.io/name: docent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "docent.selector" -}}
app.kubernetes.io/name: docent
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "docent.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{- if or (empty .Values.image.tag) (eq .Values.image.tag "latest") -}}
{{- fail "image.tag must be a version: give one, or image.digest" -}}
{{- end -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "docent.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.user.runAsUser }}
runAsUser: {{ . | int64 }}
{{- end }}
{{- if not (kindIs "invalid" .Values.user.runAsGroup) }}
runAsGroup: {{ .Values.user.runAsGroup | int64 }}
{{- end }}
{{- with .Values.user.fsGroup }}
fsGroup: {{ . | int64 }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "docent.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{/* What every pod of Docent has: settings, secrets, scratch, and the index where it lies on a volume. */}}
{{- define "docent.environment" -}}
env:
  - name: DOCENT_CONFIG
    value: /etc/docent/docent.toml
  - name: HOME
    value: /tmp
envFrom:
  - secretRef:
      name: {{ .Values.secretName }}
volumeMounts:
  - name: settings
    mountPath: /etc/docent
    readOnly: true
  - name: data
    mountPath: /var/lib/docent
  - name: scratch
    mountPath: /tmp
{{- end }}

{{/* The models of the settings that run in the process; what is there already is not fetched again. */}}
{{- define "docent.models" -}}
{{- if .Values.fetchModels }}
initContainers:
  - name: models
    image: {{ include "docent.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: ["models", "fetch"]
    resources:
      requests: {cpu: 100m, memory: 512Mi}
      limits: {cpu: "1", memory: 2Gi}
    securityContext:
      {{- include "docent.containerSecurity" . | nindent 6 }}
    {{- include "docent.environment" . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "docent.claim" -}}
{{ .Values.volume.existingClaim | default (printf "%s-data" .Release.Name) }}
{{- end }}

{{- define "docent.volumes" -}}
volumes:
  - name: settings
    configMap:
      name: {{ .Release.Name }}-settings
  - name: data
    {{- if .Values.indexOnVolume }}
    persistentVolumeClaim:
      claimName: {{ include "docent.claim" . }}
    {{- else }}
    emptyDir:
      sizeLimit: 20Gi
    {{- end }}
  - name: scratch
    emptyDir:
      sizeLimit: 2Gi
{{- end }}

{{/* A block device is mounted on one node: whoever reads the index runs where the server runs. */}}
{{- define "docent.besideTheServer" -}}
{{- if .Values.indexOnVolume }}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "docent.selector" (dict "root" . "component" "api") | nindent 12 }}
{{- end }}
{{- end }}

{{- define "docent.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Names are resolved by the cluster's own servers, wherever they run. */}}
{{- define "docent.dns" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
    - {protocol: UDP, port: 5353}
    - {protocol: TCP, port: 5353}
{{- end }}

{{- define "docent.check" -}}
{{- if and .Values.indexOnVolume (or (gt (int .Values.api.replicas) 1) .Values.api.autoscaling.enabled) -}}
{{- fail "Several servers need an index in a database: set indexOnVolume to false and DOCENT_INDEX_URL" -}}
{{- end -}}
{{- if and (not .Values.externalState) (not .Values.indexOnVolume) -}}
{{- fail "Without a volume accounts and conversations need a database: set externalState to true and DOCENT_STATE_URL" -}}
{{- end -}}
{{- end }}
