import { publicOrigin, type BundleContext } from '../context.ts'
import { autoscalerManifest } from '../kubernetes/documents.ts'
import { DUMP_FILE } from '../kubernetes/database.ts'
import { names } from '../kubernetes/names.ts'
import { isShared } from '../kubernetes/values.ts'
import { findDigests } from './instructions.ts'

/** The commands of both READMEs for a cluster. All are run in the folder of the bundle, on a computer that may talk to the cluster. */
export interface ClusterInstructions {
  tools: string
  images: string
  /** Says what to publish with, so that base images are pinned by content. */
  pin: string
  secret: string
  certificate: string
  apply: string
  helm: string
  check: string
  /** Has the autoscaler go by requests as well; null where there is none. */
  requests: string | null
  upgrade: string
  rollback: string
  token: string
  backup: string
  restore: string
  logs: string
}

/** Beside the bundle, so that it never becomes part of it. */
const ENVIRONMENT = '../mcp-hub.env'

export function clusterInstructions(context: BundleContext): ClusterInstructions {
  const { target, release } = context
  const kubectl = `kubectl -n ${names.namespace}`
  const both = [names.hub, names.web]
  const status = both.map((name) => `${kubectl} rollout status deployment/${name} --timeout=300s`).join('\n')
  const putSecret = `${kubectl} create secret generic ${names.environment} --from-file=${names.environmentKey}=${ENVIRONMENT} \\
  --dry-run=client -o yaml | kubectl apply --server-side -f -`
  const origin = publicOrigin({ ...target, httpsPort: 443 })
  const encrypted = target.backupRecipients.length > 0
  const shared = isShared(target)
  const pod = '/spec/template/spec'
  const patch = JSON.stringify([
    { op: 'replace', path: `${pod}/containers/0/command/3`, value: 'restore' },
    {
      op: 'replace',
      path: `${pod}/containers/0/args`,
      value: [
        '/backups/ARCHIVE',
        ...(encrypted ? ['--identity', '/run/secrets/backup_key'] : []),
        ...(shared ? ['--dump-to', DUMP_FILE] : []),
      ],
    },
    ...(shared
      ? [
          // The other way round: the hub's archive first, and then the database out of it.
          { op: 'replace', path: `${pod}/initContainers/1/args`, value: ['restore'] },
          { op: 'move', from: `${pod}/initContainers/1`, path: `${pod}/containers/1` },
          { op: 'move', from: `${pod}/containers/0`, path: `${pod}/initContainers/1` },
        ]
      : // Without the hub there is no machine that it would have to be on.
        [{ op: 'remove', path: `${pod}/affinity` }]),
  ])
  return {
    tools: `kubectl version        # 1.30 or later, also the cluster
docker version         # or another program that builds images`,
    images: `REGISTRY=registry.example.com/mcp-hub
for IMAGE in hub web; do
  docker build -f docker/Dockerfile --target "$IMAGE" -t "$REGISTRY/mcp-hub-$IMAGE:${release}" .
  docker push "$REGISTRY/mcp-hub-$IMAGE:${release}"
done
sed -i "s|newName: mcp-hub-|newName: $REGISTRY/mcp-hub-|" k8s/kustomization.yaml`,
    pin: findDigests(context),
    secret: `kubectl apply -f k8s/namespace.yaml
node hub/cli.js env --example .env.example --out ${ENVIRONMENT}
editor ${ENVIRONMENT}
${putSecret}`,
    certificate: `${kubectl} create secret tls mcp-hub-tls --cert=fullchain.pem --key=privkey.pem`,
    apply: `kubectl apply -k k8s --dry-run=server
kubectl apply -k k8s
${status}`,
    helm: `REGISTRY=registry.example.com/mcp-hub
helm upgrade --install mcp-hub helm --namespace ${names.namespace} --atomic --timeout 5m \\
  --set image.hub="$REGISTRY/mcp-hub-hub:${release}" --set image.web="$REGISTRY/mcp-hub-web:${release}"`,
    check: `curl --fail ${origin}/health
TOKEN=$(sed -n 's/^MCP_HUB_TOKEN=//p' ${ENVIRONMENT})
curl --fail --config <(printf 'header = "Authorization: Bearer %s"' "$TOKEN") ${origin}/api/servers
curl --fail --config <(printf 'header = "Authorization: Bearer %s"' "$TOKEN") -H 'Content-Type: application/json' \\
  -H 'Accept: application/json, text/event-stream' ${origin}/mcp \\
  -d '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}'`,
    requests: shared
      ? `kubectl get --raw "/apis/custom.metrics.k8s.io/v1beta1/namespaces/${names.namespace}/pods/*/mcp_hub_requests"
printf 'patches:\\n  - path: ${autoscalerManifest.name}\\n' >> k8s/kustomization.yaml
kubectl apply -k k8s`
      : null,
    upgrade: `kubectl diff -k k8s
kubectl apply -k k8s
${status}`,
    rollback: both.map((name) => `${kubectl} rollout undo deployment/${name}`).join('\n') + `\n${status}`,
    token: `sed -i 's/^MCP_HUB_TOKEN=.*/MCP_HUB_TOKEN=/' ${ENVIRONMENT}
node hub/cli.js env --example .env.example --out ${ENVIRONMENT}
${putSecret}
${kubectl} rollout restart deployment/${names.hub}`,
    backup: `${kubectl} create job backup-now --from=cronjob/${names.backup}
${kubectl} wait --for=condition=complete --timeout=300s job/backup-now
${kubectl} logs job/backup-now`,
    restore: `${kubectl} scale deployment/${names.hub} --replicas=0
${encrypted ? `${putSecret.replace(' \\\n', ' --from-file=backup_key=KEY_FILE \\\n')}\n` : ''}${kubectl} create job restore --from=cronjob/${names.backup} --dry-run=client -o yaml > ../restore.yaml
kubectl patch --local -f ../restore.yaml --type=json -o yaml \\
  -p '${patch}' | kubectl apply -f -
${kubectl} wait --for=condition=complete --timeout=600s job/restore
${encrypted ? `${putSecret}\n` : ''}${kubectl} scale deployment/${names.hub} --replicas=${target.instances}`,
    logs: `${kubectl} get pods,events
${kubectl} logs deployment/${names.hub} --tail=100
${kubectl} logs deployment/${names.hub} --previous --tail=100`,
  }
}
