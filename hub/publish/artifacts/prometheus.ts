import { hubPorts, publicOrigin, type Artifact, type BundleContext } from '../context.ts'
import { names } from '../kubernetes/names.ts'
import { CONTAINER_PORT, hubNames } from './docker.ts'

/** Names of the jobs, by which the rules know whose numbers they look at. */
export const HUB_JOB = 'mcp-hub'
export const OUTSIDE_JOB = 'mcp-hub-outside'

const TOKEN_FILE = '/etc/prometheus/mcp-hub.token'

export const prometheusConfig: Artifact = {
  path: 'ops/prometheus.yml',
  why: 'What a Prometheus beside the hubs scrapes: each hub by itself, and the site as clients see it.',
  render: (context) => {
    const { paths, target } = context
    const where =
      target.mode === 'kubernetes'
        ? `# Prometheus runs in the cluster, in a namespace with the label mcp-hub/metrics=true, and may list the pods of ${names.namespace}.
# The alert about backups goes by kube-state-metrics.
`
        : target.mode === 'docker'
          ? '# The hubs have names in the network internal of the compose file only: let Prometheus run there, too.\n'
          : ''
    return `${where}# For Prometheus 2.42 or later on this machine; merge it into /etc/prometheus/prometheus.yml.
# Whoever scrapes needs a key: an administrator makes one with the permission metrics:read and nothing else in the web UI (or with
# mcp-hub key create --name prometheus --permissions metrics:read) and puts it into ${TOKEN_FILE}, mode 0640,
# group prometheus.
global:
  scrape_interval: 15s
  evaluation_interval: 15s

rule_files:
  - ${paths.current}/ops/alerts.yml

scrape_configs:
  # Each hub has numbers of its own: never scrape the balancer in front of them.
  - job_name: ${HUB_JOB}
    metrics_path: /api/metrics
    authorization:
      credentials_file: ${TOKEN_FILE}
${target.mode === 'kubernetes' ? discovery : staticTargets(context)}
  # From outside, through DNS, nginx and TLS; knows when the certificate ends. By Debian's prometheus-blackbox-exporter, whose
  # module http_2xx is the one that it comes with. Let it listen on loopback only.
  - job_name: ${OUTSIDE_JOB}
    scrape_interval: 60s
    metrics_path: /probe
    params:
      module: [http_2xx]
    static_configs:
      - targets: ['${publicOrigin(target)}/health']
    relabel_configs:
      - source_labels: [__address__]
        target_label: __param_target
      - source_labels: [__param_target]
        target_label: instance
      - target_label: __address__
        replacement: 127.0.0.1:9115
`
  },
}

function staticTargets(context: BundleContext): string {
  const addresses = hubAddresses(context).map((address) => `'${address}'`)
  return `    static_configs:
      - targets: [${addresses.join(', ')}]
`
}

/** The hubs as the cluster knows them; by `namespace` and `pod` an adapter tells the autoscaler whose numbers they are. */
const discovery = `    kubernetes_sd_configs:
      - role: pod
        namespaces: { names: [${names.namespace}] }
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_component, __meta_kubernetes_pod_container_port_name]
        regex: hub;http
        action: keep
      - source_labels: [__meta_kubernetes_namespace]
        target_label: namespace
      - source_labels: [__meta_kubernetes_pod_name]
        target_label: pod
`

function hubAddresses(context: BundleContext): string[] {
  return context.target.mode === 'docker'
    ? hubNames(context).map((name) => `${name}:${CONTAINER_PORT}`)
    : hubPorts(context.target).map((port) => `127.0.0.1:${port}`)
}
