import { publicOrigin, type BundleContext } from '../context.ts'
import { names } from '../kubernetes/names.ts'
import { isShared } from '../kubernetes/values.ts'
import { serviceVariables } from '../variables.ts'
import { clusterInstructions } from './instructions-kubernetes.ts'

/** Both languages have the same commands, and the same sections around them. */
export function readmeKubernetes(context: BundleContext, release: string, language: 'en' | 'zh'): string {
  const run = clusterInstructions(context)
  const sh = (commands: string): string => `\`\`\`sh\n${commands}\n\`\`\`\n`
  const names_ = [
    ...context.target.services.map((service) => [
      serviceVariables[service].name,
      serviceVariables[service].why[language],
    ]),
    ...context.needs.map(({ name, usedBy }) => [name, usedBy]),
  ]
  const table = names_.map(([name = '', why = '']) => `| \`${name}\` | ${why} |\n`).join('')
  return language === 'en' ? english(context, release, run, sh, table) : chinese(context, release, run, sh, table)
}

type Run = ReturnType<typeof clusterInstructions>
type Shell = (commands: string) => string

function english({ target, version }: BundleContext, release: string, run: Run, sh: Shell, table: string): string {
  const shared = isShared(target)
  const origin = publicOrigin({ ...target, httpsPort: 443 })
  return `# MCP Hub ${version} for ${target.domain}

Release \`${release}\` · Kubernetes · ${target.instances} hub${target.instances > 1 ? 's' : ''} · 中文: README.zh-CN.md

Run the commands in this folder, on a computer that may change the cluster. Nothing is pushed over SSH: the cluster takes the images from a
registry and the rest from \`k8s/\` (or the chart in \`helm/\`, which gives the same). Everything is in the namespace \`${names.namespace}\`.

## 1. Tools

${sh(run.tools)}
## 2. Images

Put the name of your registry for REGISTRY:

${sh(run.images)}
\`digest: sha256:…\` in the place of \`newTag\` in \`k8s/kustomization.yaml\` pins an image by its content. What they are built on is pinned by publishing
with \`--image-digests\` and the line that this prints:

${sh(run.pin)}
## 3. Secrets

${sh(run.secret)}
\`env\` generates what can be generated, keeps every value that is there already, and says what is still empty. The file stays with you; the
cluster has it as the secret \`${names.environment}\`, which the hub reads as a file. Repositories and manifests never hold it: who keeps the cluster in
one uses an operator for secrets, with \`k8s/optional/secret.example.yaml\` as the form.
${table === '' ? '' : `\nThese are yours to fill in:\n\n| name | for |\n|---|---|\n${table}`}
${
  shared
    ? `\nAn address may be in a file of its own, as an operator writes it: \`--from-file=database_url=FILE\` in the command above (or that key in the secret), and
\`DATABASE_URL_FILE=/run/secrets/database_url\` in the place of \`DATABASE_URL=\`.\n`
    : ''
}
## 4. Certificate

${sh(run.certificate)}
Or leave it to cert-manager: \`kubectl -n ${names.namespace} annotate ingress mcp-hub cert-manager.io/cluster-issuer=ISSUER\` after the next step.
The way in is \`k8s/ingress.yaml\`, for the ingress class that the cluster has as its default. Where it has a Gateway, replace
\`ingress.yaml\` by \`optional/gateway.yaml\` in \`k8s/kustomization.yaml\` and name the class in it.

## 5. Start

${sh(run.apply)}
Or with Helm, in the place of \`kubectl apply\`:

${sh(run.helm)}
${
  shared
    ? `\`DATABASE_URL\` must name a PostgreSQL that the cluster reaches: the hub that starts first takes over the published configuration. Hubs share the
claim \`${names.state}\`, which needs a storage class that several machines can write (ReadWriteMany, such as NFS or CephFS); in it are accounts at remote
servers and secrets set in the web UI. Approved tool definitions and logs of servers are each pod's own and go with it. The autoscaler
needs the metrics server. Calls with a session go to the hub that has it.`
    : `One hub keeps its configuration and history on the claim \`${names.state}\`; a second one would overwrite both, so it is stopped before a new one
starts, and each upgrade is a pause of some seconds. With \`--services database\` there may be any number, and none.`
}

## 6. Check

${sh(run.check)}
Then open ${origin} and sign in as \`admin\` with \`MCP_HUB_ADMIN_PASSWORD\`. MCP clients use \`${origin}/mcp\` with \`Authorization: Bearer …\`.

## Upgrade

Publish again, build and push the images (step 2), then:

${sh(run.upgrade)}
The configuration in the cluster is kept: the published one is only for a hub that has none. Servers, profiles and settings are brought to hubs
that run by \`mcp-hub config push\`, or changed in the web UI.

## Roll back

${sh(run.rollback)}
## New token

${sh(run.token)}
Every MCP client needs the new one. The same way empties and renews \`JWT_SECRET\`; then everybody has to sign in again.

## Backup

Each night a job writes an archive to the claim \`${names.backups}\` and keeps the newest 30${shared ? ', each with a dump of the hubs’ tables in PostgreSQL, made by the programs of version 17.\nA later server needs later ones: the image of the container `database` in `k8s/backup.yaml`, or `image.database` in the values of the chart' : ''}. At once, and to see what it said:

${sh(run.backup)}
${
  target.backupRecipients.length === 0
    ? 'It is not encrypted: publish with `--backup-recipients` to have that.'
    : `It is encrypted with age, for the private keys of ${target.backupRecipients.map((key) => `\`${key}\``).join(', ')}. Keep these elsewhere: without one nobody reads the archives.
The commands put the key (KEY_FILE) into the secret while no hub runs, and take it away again.`
}

To restore ARCHIVE, named as the job said it:

${sh(run.restore)}
## Network

Pods may only talk as \`k8s/network-policies.yaml\` says: DNS, ports 80 and 443, those in the URLs of servers${target.services.length > 0 ? ', and the usual ports of the services' : ''}. Where
yours has another port, change it there. The network of the cluster must support policies (Calico, Cilium, …); without, they do nothing.

## Monitoring

Prometheus reads \`/api/metrics\` of each hub pod, from a namespace with the label \`mcp-hub/metrics=true\`: \`ops/prometheus.yml\` finds the pods,
\`ops/alerts.yml\` says when a person is needed (about backups by kube-state-metrics), \`ops/grafana-dashboard.json\` shows it all.
${
  run.requests === null
    ? ''
    : `
The autoscaler goes by processor. Where an adapter (prometheus-adapter with the rules that it comes with) gives the cluster what Prometheus
knows, the first command answers, and the others have it go by requests as well: 300 a second for each hub, to be changed in the
file. With Helm the same stands in \`replicas.metrics\` of the values.

${sh(run.requests)}`
}
## When something is wrong

${sh(run.logs)}
| what you see | cause | cure |
|---|---|---|
| \`ErrImagePull\` | the cluster does not find the image | \`newName\` in \`k8s/kustomization.yaml\`; a pull secret at the service account |
| \`secret "${names.environment}" not found\` | step 3 was left out | step 3 |
| the hub restarts with code 78 | the configuration is broken; the log names file, line and cure | mend it, or restore a backup |
| the hub restarts with code 75 | PostgreSQL does not answer | \`DATABASE_URL\`; the network policy |
| a pod stays \`Pending\` | no storage class, or not enough memory | \`kubectl -n ${names.namespace} describe pod\` |
| 502 | no hub is ready | the log of the hub |
| the connection closes without an answer | the name in the request is not \`${target.domain}\` | use that name; check DNS |
`
}

function chinese({ target, version }: BundleContext, release: string, run: Run, sh: Shell, table: string): string {
  const shared = isShared(target)
  const origin = publicOrigin({ ...target, httpsPort: 443 })
  return `# MCP Hub ${version}：${target.domain}

发布版本 \`${release}\` · Kubernetes · ${target.instances} 个 Hub 实例 · English: README.md

在本文件所在的目录中执行命令，所用的电脑须有权更改集群。不通过 SSH 推送：集群从镜像仓库获取镜像，其余来自 \`k8s/\`（或内容相同的
\`helm/\` Chart）。所有对象都在命名空间 \`${names.namespace}\` 中。

## 1. 工具

${sh(run.tools)}
## 2. 镜像

把 REGISTRY 换成你的镜像仓库：

${sh(run.images)}
在 \`k8s/kustomization.yaml\` 中用 \`digest: sha256:…\` 代替 \`newTag\`，可以按内容固定镜像。要固定它们的基础镜像，发布时使用 \`--image-digests\`
和以下命令输出的一行：

${sh(run.pin)}
## 3. 密钥

${sh(run.secret)}
\`env\` 会生成可以自动生成的值，保留已有的值，并指出哪些仍为空。该文件留在你这里；集群以 Secret \`${names.environment}\` 保存它，Hub 把它当作
文件读取。代码仓库和清单中绝不保存它：用仓库管理集群的，请使用密钥 Operator，格式见 \`k8s/optional/secret.example.yaml\`。
${table === '' ? '' : `\n需要你填写：\n\n| 名称 | 用途 |\n|---|---|\n${table}`}
${
  shared
    ? `\n地址也可以放在单独的文件中（例如由 Operator 写入）：在上面的命令中加 \`--from-file=database_url=文件\`（或在该 Secret 中使用此键），并用
\`DATABASE_URL_FILE=/run/secrets/database_url\` 代替 \`DATABASE_URL=\`。\n`
    : ''
}
## 4. 证书

${sh(run.certificate)}
也可以交给 cert-manager：在下一步之后执行 \`kubectl -n ${names.namespace} annotate ingress mcp-hub cert-manager.io/cluster-issuer=ISSUER\`。
入口是 \`k8s/ingress.yaml\`，使用集群默认的 IngressClass。如果集群使用 Gateway API，请在 \`k8s/kustomization.yaml\` 中用
\`optional/gateway.yaml\` 代替 \`ingress.yaml\`，并在其中填写 GatewayClass。

## 5. 启动

${sh(run.apply)}
或用 Helm 代替 \`kubectl apply\`：

${sh(run.helm)}
${
  shared
    ? `\`DATABASE_URL\` 必须指向集群可以访问的 PostgreSQL：最先启动的 Hub 会接管发布的配置。所有 Hub 共用存储卷 \`${names.state}\`，它需要支持多机写入
（ReadWriteMany，例如 NFS 或 CephFS）的存储类，其中保存远程服务器的账户和在网页界面中设置的密钥。已批准的工具定义和服务器日志属于各个
Pod，随 Pod 消失。自动伸缩需要 metrics server。带会话的调用会发往持有该会话的 Hub。`
    : `唯一的 Hub 把配置和历史保存在存储卷 \`${names.state}\` 上；第二个会覆盖它们，因此旧的停止之后新的才启动，每次升级会中断几秒。使用
\`--services database\` 时可以有任意多个，且不会中断。`
}

## 6. 检查

${sh(run.check)}
然后打开 ${origin}，以 \`admin\` 和 \`MCP_HUB_ADMIN_PASSWORD\` 登录。MCP 客户端使用 \`${origin}/mcp\`，并带上 \`Authorization: Bearer …\`。

## 升级

重新发布，构建并推送镜像（第 2 步），然后：

${sh(run.upgrade)}
集群中的配置保持不变：发布的配置只用于还没有配置的 Hub。对运行中的 Hub，用 \`mcp-hub config push\` 更新服务器、配置集和设置，或在网页界面中修改。

## 回滚

${sh(run.rollback)}
## 更换令牌

${sh(run.token)}
所有 MCP 客户端都需要换用新令牌。用同样的方法可以清空并更换 \`JWT_SECRET\`；之后每个人都需要重新登录。

## 备份

每晚有一个任务把归档写入存储卷 \`${names.backups}\`，并保留最新的 30 份${shared ? '，每份都含 PostgreSQL 中 Hub 各表的转储，由 17 版的程序生成。\n更新版本的服务器需要更新的程序：`k8s/backup.yaml` 中容器 `database` 的镜像，或 Chart 的 `image.database`' : ''}。立即备份并查看输出：

${sh(run.backup)}
${
  target.backupRecipients.length === 0
    ? '归档未加密；如需加密，发布时使用 `--backup-recipients`。'
    : `归档用 age 加密，持有以下任一公钥对应私钥的人才能打开：${target.backupRecipients.map((key) => `\`${key}\``).join('、')}。私钥请保管在别处：没有私钥，谁也无法读取归档。
以下命令在没有 Hub 运行时把私钥（KEY_FILE）放入 Secret，之后再移除。`
}

恢复归档时，把 ARCHIVE 换成任务输出的文件名：

${sh(run.restore)}
## 网络

Pod 只能按 \`k8s/network-policies.yaml\` 通信：DNS、端口 80 和 443、服务器 URL 中的端口${target.services.length > 0 ? '，以及各服务的常用端口' : ''}。如果你的端口不同，请在其中修改。
集群网络必须支持网络策略（Calico、Cilium 等），否则它们不起作用。

## 监控

Prometheus 从带有标签 \`mcp-hub/metrics=true\` 的命名空间读取每个 Hub Pod 的 \`/api/metrics\`：\`ops/prometheus.yml\` 自动发现 Pod，\`ops/alerts.yml\`
说明何时需要人处理（备份告警依据 kube-state-metrics），\`ops/grafana-dashboard.json\` 是仪表板。
${
  run.requests === null
    ? ''
    : `
自动伸缩依据 CPU。如果集群中有适配器（使用默认规则的 prometheus-adapter）提供 Prometheus 的数据，第一条命令会有应答，其余命令使自动伸缩同时依据请求数：
每个 Hub 每秒 300 个，可在该文件中修改。使用 Helm 时在 values 的 \`replicas.metrics\` 中填写相同内容。

${sh(run.requests)}`
}
## 出现问题时

${sh(run.logs)}
| 现象 | 原因 | 解决方法 |
|---|---|---|
| \`ErrImagePull\` | 集群找不到镜像 | \`k8s/kustomization.yaml\` 中的 \`newName\`；为服务账户设置拉取密钥 |
| \`secret "${names.environment}" not found\` | 没有执行第 3 步 | 第 3 步 |
| Hub 以代码 78 反复重启 | 配置有错误；日志指出文件、行号和解决方法 | 修正配置，或恢复备份 |
| Hub 以代码 75 反复重启 | PostgreSQL 没有响应 | \`DATABASE_URL\`；网络策略 |
| Pod 一直 \`Pending\` | 没有存储类，或内存不足 | \`kubectl -n ${names.namespace} describe pod\` |
| 502 | 没有就绪的 Hub | 查看 Hub 的日志 |
| 连接没有回应就关闭 | 请求中的域名不是 \`${target.domain}\` | 使用该域名；检查 DNS |
`
}
