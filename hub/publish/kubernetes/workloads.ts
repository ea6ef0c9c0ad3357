import type { IDeployment } from 'kubernetes-models/apps/v1'
import type { ICronJob } from 'kubernetes-models/batch/v1'
import type {
  IIoK8sApiCoreV1Container as Container,
  IIoK8sApiCoreV1PodSpec as PodSpec,
  IIoK8sApiCoreV1Probe as Probe,
  IIoK8sApiCoreV1SecurityContext as SecurityContext,
  IIoK8sApiCoreV1Volume as Volume,
  IIoK8sApiCoreV1VolumeMount as VolumeMount,
} from 'kubernetes-models/v1'
import type { Target } from '../../contract/publish.ts'
import { HUB_PORT, HUB_USER, labels, names, WEB_PORT, WEB_USER, type Component } from './names.ts'
import { isShared, type ClusterValues } from './values.ts'
import { databasePrograms, DUMP_FILE, dumpMount } from './database.ts'

const STATE = '/var/lib/mcp-hub'
const ENVIRONMENT_FILE = `/run/secrets/${names.environmentKey}`

const confined: SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
}

function podOf(component: Component, user: number, pod: PodSpec): PodSpec {
  return {
    serviceAccountName: names.account,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(component === 'backup'
      ? {}
      : {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: labels(component) },
            },
          ],
        }),
    ...pod,
  }
}

/**
 * Where a hub keeps what it writes. One that shares a database needs a folder that all hubs see only for accounts and for
 * secrets set in the web UI; one alone keeps everything in it.
 */
function storageOf(target: Target): { mounts: VolumeMount[]; volumes: Volume[]; env: Container['env'] } {
  const claim: Volume = { name: 'state', persistentVolumeClaim: { claimName: names.state } }
  const env = [
    { name: 'CONFIG_DIR', value: `${STATE}/config` },
    { name: 'DATA_DIR', value: `${STATE}/data` },
  ]
  if (!isShared(target))
    return {
      mounts: [{ name: 'state', mountPath: STATE }],
      volumes: [claim],
      env: [...env, { name: 'MCP_HUB_SECRETS_FILE', value: `${STATE}/secrets/secrets.json` }],
    }
  return {
    mounts: [
      { name: 'own', mountPath: STATE },
      { name: 'state', mountPath: '/var/lib/mcp-hub-shared' },
    ],
    volumes: [{ name: 'own', emptyDir: {} }, claim],
    env: [
      ...env,
      { name: 'ACCOUNTS_DIR', value: '/var/lib/mcp-hub-shared/accounts' },
      { name: 'MCP_HUB_SECRETS_FILE', value: '/var/lib/mcp-hub-shared/secrets.json' },
      // Without a database each pod would go its own way: it does not start then, and the pods of before stay.
      { name: 'MCP_HUB_SHARED', value: 'yes' },
    ],
  }
}

/** The published configuration is for a hub that has none yet; later the one in the cluster counts. */
function initialConfiguration(image: string, mounts: VolumeMount[]): Container {
  return {
    name: 'initial-config',
    image,
    command: [
      'sh',
      '-ec',
      `cd ${STATE}; mkdir -p config data secrets; for name in servers.json system.json profiles.json; do [ -e "config/$name" ] || cp "/published/$name" "config/$name"; done`,
    ],
    securityContext: confined,
    resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
    volumeMounts: [...mounts, { name: 'published', mountPath: '/published', readOnly: true }],
  }
}

function hubVolumes(volumes: Volume[]): Volume[] {
  return [
    ...volumes,
    { name: 'published', configMap: { name: names.published } },
    {
      name: 'environment',
      secret: { secretName: names.environment, optional: false, defaultMode: 0o440 },
    },
    { name: 'tmp', emptyDir: {} },
    { name: 'home', emptyDir: {} },
  ]
}

/** Secrets come as one file, not as environment of the container, where every child and every dump would show them. */
const secretMount: VolumeMount = { name: 'environment', mountPath: '/run/secrets', readOnly: true }

function probe(path: string, periodSeconds: number, failureThreshold: number): Probe {
  return { httpGet: { path, port: HUB_PORT }, periodSeconds, timeoutSeconds: 5, failureThreshold }
}

export function hubDeployment(target: Target, values: ClusterValues): IDeployment {
  const { mounts, volumes, env } = storageOf(target)
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: names.hub, labels: labels('hub') },
    spec: {
      // With a database the autoscaler has the number; without one, two hubs would overwrite each other's files.
      ...(isShared(target)
        ? { strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } }
        : { replicas: 1, strategy: { type: 'Recreate' } }),
      revisionHistoryLimit: 5,
      selector: { matchLabels: labels('hub') },
      template: {
        metadata: { labels: labels('hub') },
        spec: podOf('hub', HUB_USER, {
          // 10 s until nginx has learned that it goes, then the drain of the hub itself.
          terminationGracePeriodSeconds: 60,
          initContainers: [initialConfiguration(values.image.hub, mounts)],
          containers: [
            {
              name: 'hub',
              image: values.image.hub,
              ports: [{ name: 'http', containerPort: HUB_PORT }],
              env: [
                ...(env ?? []),
                ...(target.logLevel === undefined ? [] : [{ name: 'LOG_LEVEL', value: target.logLevel }]),
              ],
              resources: values.resources.hub,
              securityContext: confined,
              startupProbe: probe('/health/live', 2, 60),
              // Whether it runs at all: an outage of the database must not have every hub restarted.
              livenessProbe: probe('/health/live', 10, 3),
              readinessProbe: probe('/health/ready', 5, 2),
              lifecycle: { preStop: { sleep: { seconds: 10 } } },
              volumeMounts: [
                ...mounts,
                secretMount,
                { name: 'tmp', mountPath: '/tmp' },
                { name: 'home', mountPath: '/home/node' },
              ],
            },
          ],
          volumes: hubVolumes(volumes),
        }),
      },
    },
  }
}

/** nginx finds the hubs by the cluster's DNS, whose address and domain are only known there. */
const startWeb = `while read -r key first _; do
  case $key in
    nameserver) address=\${address:-$first} ;;
    search) domain=$first ;;
  esac
done < /etc/resolv.conf
case $address in *:*) address="[$address]" ;; esac
printf 'resolver %s valid=5s;\\nserver ${names.hubs}.%s:${HUB_PORT} resolve fail_timeout=2s;\\n' "$address" "$domain" > /tmp/hubs.conf
exec nginx -p /tmp/ -c /etc/nginx/site/nginx.conf -g 'daemon off;'
`

export function webDeployment(values: ClusterValues, siteVersion: string): IDeployment {
  const tcp: Probe = { tcpSocket: { port: WEB_PORT }, periodSeconds: 5, timeoutSeconds: 2 }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: names.web, labels: labels('web') },
    spec: {
      replicas: 2,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      revisionHistoryLimit: 5,
      selector: { matchLabels: labels('web') },
      template: {
        // nginx reads its site at the start: another one needs other pods.
        metadata: { labels: labels('web'), annotations: { 'mcp-hub/site': siteVersion } },
        spec: podOf('web', WEB_USER, {
          terminationGracePeriodSeconds: 60,
          containers: [
            {
              name: 'web',
              image: values.image.web,
              command: ['bash', '-ec', startWeb],
              ports: [{ name: 'http', containerPort: WEB_PORT }],
              resources: values.resources.web,
              securityContext: confined,
              livenessProbe: tcp,
              readinessProbe: tcp,
              lifecycle: { preStop: { sleep: { seconds: 10 } } },
              volumeMounts: [
                { name: 'site', mountPath: '/etc/nginx/site', readOnly: true },
                { name: 'tmp', mountPath: '/tmp' },
              ],
            },
          ],
          volumes: [
            { name: 'site', configMap: { name: names.site } },
            { name: 'tmp', emptyDir: {} },
          ],
        }),
      },
    },
  }
}

export function backupJob(target: Target, values: ClusterValues): ICronJob {
  const { mounts, volumes, env } = storageOf(target)
  const keys = target.backupRecipients
  const tmp: VolumeMount = { name: 'tmp', mountPath: '/tmp' }
  // What only the database has goes into the archive as its own programs wrote it.
  const database: Container[] = isShared(target)
    ? [
        {
          ...databasePrograms(values.image.database),
          resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '512Mi' } },
          securityContext: confined,
          volumeMounts: [secretMount, dumpMount, tmp],
        },
      ]
    : []
  const encryption = keys.length === 0 ? [] : ['--recipients', keys.join(',')]
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: names.backup, labels: labels('backup') },
    spec: {
      schedule: '17 2 * * *',
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        spec: {
          backoffLimit: 2,
          activeDeadlineSeconds: 1800,
          template: {
            metadata: { labels: labels('backup') },
            spec: podOf('backup', HUB_USER, {
              restartPolicy: 'Never',
              // The folder of one hub alone can be mounted on one machine only.
              ...(isShared(target)
                ? {}
                : {
                    affinity: {
                      podAffinity: {
                        requiredDuringSchedulingIgnoredDuringExecution: [
                          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels('hub') } },
                        ],
                      },
                    },
                  }),
              initContainers: [initialConfiguration(values.image.hub, mounts), ...database],
              containers: [
                {
                  name: 'backup',
                  image: values.image.hub,
                  command: ['node', `--env-file=${ENVIRONMENT_FILE}`, 'hub/cli.js', 'backup'],
                  args: [
                    '--out',
                    '/backups',
                    '--keep',
                    '30',
                    ...encryption,
                    ...(isShared(target) ? ['--dump', DUMP_FILE] : []),
                  ],
                  ...(env === undefined ? {} : { env }),
                  resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
                  securityContext: confined,
                  volumeMounts: [
                    ...mounts,
                    secretMount,
                    { name: 'backups', mountPath: '/backups' },
                    ...(isShared(target) ? [dumpMount] : []),
                    tmp,
                    { name: 'home', mountPath: '/home/node' },
                  ],
                },
              ],
              volumes: [
                ...hubVolumes(volumes),
                { name: 'backups', persistentVolumeClaim: { claimName: names.backups } },
                ...(isShared(target) ? [{ name: dumpMount.name, emptyDir: {} }] : []),
              ],
            }),
          },
        },
      },
    },
  }
}
