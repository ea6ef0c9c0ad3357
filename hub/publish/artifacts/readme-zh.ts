import { publicOrigin, type BundleContext } from '../context.ts'
import { serviceVariables } from '../variables.ts'
import { instructions } from './instructions.ts'
import { readmeKubernetes } from './readme-kubernetes.ts'

export function readmeZh(context: BundleContext, release: string): string {
  if (context.target.mode === 'kubernetes') return readmeKubernetes(context, release, 'zh')
  const { target, paths, needs } = context
  const run = instructions(context, release)
  const docker = target.mode === 'docker'
  const systemd = target.mode === 'systemd'
  const manager = docker ? 'Docker Compose' : `${systemd ? 'systemd' : 'PM2'} 与 nginx`
  const many = target.instances > 1
  const services = target.services
    .map((service) => `| \`${serviceVariables[service].name}\` | ${serviceVariables[service].why.zh} |`)
    .join('\n')
  const needed = needs.map(({ name, usedBy }) => `| \`${name}\` | ${usedBy} |`).join('\n')

  return `# MCP Hub ${context.version}：${target.domain}

发布版本 \`${release}\` · ${manager} · ${target.instances} 个 Hub 实例 · English: README.md

所有内容都安装在 \`${paths.root}\` 之下。除非另有说明，命令都在目标服务器上以 root 身份执行。
命令适用于 Debian 12、13 以及 Ubuntu 22.04 及更高版本。Hub 本身只需要 2 核 CPU、2 GB 内存和 10 GB 磁盘；它启动的 MCP 服务器另计。

## 1. ${docker ? 'Docker' : systemd ? 'Node 24 与 nginx' : 'Node 24、PM2 与 nginx'}

\`\`\`sh
${docker ? run.nodeDocker : run.node}
\`\`\`
${docker ? '' : '\nARM 机器请改用 `linux-arm64`。系统时间必须准确（`timedatectl`），因为会话签名包含时间。\n'}
## 2. 目录

\`\`\`sh
${run.folders}
\`\`\`

只有 \`config\`、\`data\`、\`logs\` 和 \`backups\` 属于 Hub。它无法修改自己的程序、证书以及 nginx 读取的任何文件。

## 3. 发布版本

在你自己的电脑上，进入本 README 所在的目录：

\`\`\`sh
${run.upload}
\`\`\`

然后在目标服务器上：

\`\`\`sh
${run.unpack}
\`\`\`

最后一行只用于首次安装：之后以目标服务器上的配置为准。

## 4. 密钥

\`\`\`sh
${run.environment}
\`\`\`

\`env\` 会生成可以自动生成的值，保留已有的值，并指出哪些仍为空。
${needs.length === 0 ? '' : `\n各 MCP 服务器需要以下值；缺少某个值时，对应的服务器不会启动并会说明原因，其余照常运行：\n\n| 名称 | 用途 |\n|---|---|\n${needed}\n`}
${services === '' ? '' : `\n以下服务也在其中命名${docker ? '' : '；留空的服务，Hub 启动时不使用'}：\n\n| 名称 | 用途 |\n|---|---|\n${services}\n`}${run.stores === null ? '' : `\n如果其他地方没有这些服务，可以让 compose 在 Hub 旁边运行它们，只有 Hub 能访问：\n\n\`\`\`sh\n${run.stores}\n\`\`\`\n`}
首次启动时会用 \`MCP_HUB_ADMIN_PASSWORD\`（自动生成或自行设置，8 到 72 字节）创建用户 \`admin\`；之后可以清空这一行。

在网页界面中设置的密钥保存在 \`${run.secretsFile}\` 中，供所有 Hub 共用，只有 Hub 的用户可读（权限 0600）。在 \`${paths.environment}\` 中加一行至少 32 个字符的
\`MCP_HUB_SECRETS_KEY=\`，该文件就会加密保存。\`${paths.environment}\` 中的值优先。

${docker ? '## 5. 证书与启动' : '## 5. 启动'}

\`\`\`sh
${docker ? `${run.certificateFirst}\n${run.start}` : run.start}
\`\`\`
${
  docker
    ? ''
    : `
${
  systemd
    ? `重启机器后，mcp-hub.target 会自动恢复各个 Hub 和定时器。每个端口由 systemd 的套接字持有，Hub 重启期间到来的请求会在其中等待。
Hub 的日志在 journal 中。Hub 和它启动的服务器运行在沙箱里（\`systemd-analyze security mcp-hub@${target.basePort}.service\` 可查看）：
只能写入 \`${paths.root}/{config,data,logs,backups}\` 和自己的 /tmp。某个服务器需要更多权限时，用
\`systemctl edit mcp-hub@.service\` 添加，例如 \`ReadWritePaths=/srv/files\`；自带浏览器的服务器需要 \`RestrictNamespaces=no\`。

定时器每晚备份，每天早晨检查各个服务器，每月试恢复一次备份。`
    : '\`pm2 save\` 和 \`pm2 startup\` 让 Hub 在重启机器后自动恢复；logrotate 负责日志轮转。'
}

## 6. nginx

\`\`\`sh
${run.certificateFirst}
${run.nginx}
\`\`\`

在 Debian 和 Ubuntu 上需要删除默认站点，因为本站点会自行处理未知域名（直接关闭连接）。如果 nginx 只为 Hub 服务，或不以 root 运行，
请改用 \`nginx/nginx.conf\`：\`nginx -p 目录 -c ${paths.current}/nginx/nginx.conf\`。
`
}
## ${docker ? 6 : 7}. 浏览器信任的证书

\`\`\`sh
${run.certificate}
\`\`\`

certbot 由定时器自动续期，每次续期都会执行该钩子。用 \`certbot renew --dry-run\` 测试。

## ${docker ? 7 : 8}. 验证

\`\`\`sh
${run.check}
\`\`\`

然后打开 ${publicOrigin(target)} 登录。MCP 客户端使用 \`${publicOrigin(target)}/mcp\`，并携带 \`Authorization: Bearer …\`。
${
  many
    ? `
## ${target.instances} 个 Hub 实例

旧版 MCP 客户端的会话保存在 Hub 的内存中：会话标识中带有该 Hub 的名称，nginx 据此转发请求；该 Hub 停止后，客户端会在另一个 Hub 上建立新会话。
每个 Hub 各自启动 MCP 服务器${target.services.includes('redis') ? '' : '，各自统计请求次数和登录失败次数（用 Redis 可以统一统计）'}。配置、历史和审计保存在 PostgreSQL（\`DATABASE_URL\`）中：\n第一个启动的 Hub 会接管配置目录中的文件，之后通过一个 Hub 所做的修改会在一秒内到达其他 Hub。启动前必须填写 \`DATABASE_URL\`，否则各 Hub 会各自为政。${docker || systemd ? '' : '\n重载时各 Hub 依次重启；正在进行的请求可能以 502 失败，重新发送即可。'}
`
    : ''
}
## 升级

重新发布，上传新版本（第 3 步，不执行最后一行），用它的名称替换 RELEASE：

\`\`\`sh
${run.upgrade}
\`\`\`
${docker || (many && !systemd) ? '' : systemd ? '\n旧的 Hub 完成手头的请求，期间到来的请求在套接字中等待：不会丢失任何请求。\n' : '\n新的 Hub 先启动，旧的 Hub 完成手头的请求后才结束：不会丢失任何请求。\n'}
## 回滚

\`\`\`sh
${run.rollback}
\`\`\`

配置和数据保持不变。请至少保留一个旧版本。

## 更换令牌

\`\`\`sh
${run.token}
\`\`\`

所有 MCP 客户端都需要新的令牌。用同样的方法可以清空并更换 \`JWT_SECRET\`；之后所有人都要重新登录。

## 备份

\`\`\`sh
${run.backup}
\`\`\`

备份中含有密钥，请按密钥的要求保管。恢复时先停止 Hub，按原有属主放回文件，再启动。

## 防火墙

\`\`\`sh
${run.firewall}
\`\`\`

Hub 自身${docker ? '只在内部网络中监听' : '只监听 127.0.0.1'}。外部无法访问 \`/api/metrics\`。
不用 ufw 时可用 \`ops/firewall.nft\`，文件开头说明了如何试用而不把自己锁在外面。

## 监控

\`ops/prometheus.yml\` 抓取每个 Hub 的指标，并从外部探测站点（Debian：\`apt-get install --yes prometheus prometheus-blackbox-exporter\`；
两者默认监听所有地址，请保留防火墙）。\`ops/alerts.yml\` 说明何时需要人处理，\`ops/grafana-dashboard.json\` 展示全貌。
${docker || systemd ? '' : '备份和恢复演练需要定时执行：\`ops/crontab\`，或使用 \`systemd/\` 中的定时器。\n'}
## 故障排除

\`\`\`sh
${run.logs}
\`\`\`

| 现象 | 原因 | 解决办法 |
|---|---|---|
| Hub 以代码 78 退出${systemd ? '；尝试十次后 systemd 会关闭它的套接字（先 \`systemctl reset-failed\`，再启动 mcp-hub.target）' : '，PM2 一直显示 \`waiting restart\`'} | 配置有误；日志中有文件、行号和解决办法 | 修正配置；\`node ${paths.current}/hub/cli.js config check --config ${docker ? '目录' : paths.config}\` |
| \`.env: not found\`，代码 9 | \`${paths.environment}\` 不存在或不可读 | 见第 4 步，注意属主和权限 |
| nginx 返回 502 | Hub 没有运行或仍在启动 | 查看日志；在目标服务器上执行 \`curl http://127.0.0.1:${target.basePort}/health/ready\` |
| nginx：\`duplicate default server\` | 另一个站点已经处理未知域名 | 从那个站点删除 \`default_server\` |
| nginx：\`cannot load certificate\` | 还没有证书 | ${docker ? '第 5 步' : '第 6 步'} |
| 连接没有应答就被关闭 | 请求中的域名不是 \`${target.domain}\` | 使用该域名；检查 DNS |
| \`/mcp\` 返回 401 | 没有令牌，或令牌已过期 | \`${paths.environment}\` 中的 \`MCP_HUB_TOKEN\` |
| 某个服务器一直失败 | 本机没有它的命令，或缺少某个值 | 该服务器的页面会说明；另见本目录的 PORTABILITY.md |
| 端口被占用 | 其他进程占用了 ${target.basePort} | \`ss -ltnp\`；用另一个 \`--base-port\` 重新发布 |

## 定期维护

每周：检查失败的服务器和日志。每月：系统更新；把备份恢复到空目录中核对；检查磁盘空间。每季度：检查谁可以登录、有哪些令牌，并演练一次回滚。
`
}
