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

  const keys = target.backupRecipients.map((key) => `\n- \`${key}\``).join('')
  const encrypted =
    keys === ''
      ? '归档未加密；发布时用 `--backup-recipients` 启用加密。'
      : `

归档（\`.tar.age\`）以 age 加密，只有持有下列任一公钥所对应私钥的人才能打开：
${keys}

私钥请保管在别处：没有私钥，谁也无法再读取归档。本机的演练只能确认最新的归档与生成时一致；在有私钥的地方，\`restore-drill.sh 归档 --identity KEY_FILE\` 会试恢复它。恢复之后请从本机移走 KEY_FILE。`

  return `# MCP Hub ${context.version}：${target.domain}

发布版本 \`${release}\` · ${manager} · ${target.instances} 个 Hub 实例 · English: README.md

所有内容都安装在 \`${paths.root}\` 之下。除非另有说明，命令都在目标服务器上以 root 身份执行。
命令适用于 Debian 12、13 以及 Ubuntu 22.04 及更高版本。一个 Hub 只需要 2 核 CPU、2 GB 内存和 10 GB 磁盘；每多一个 Hub 最多再占 512 MB；
MCP 服务器另计，且每个 Hub 各有一份。

## 1. 首次部署之前

\`\`\`sh
${run.before}
\`\`\`
${docker ? '' : '\nARM 机器请改用 `linux-arm64`。系统时间必须准确（`timedatectl`），因为会话签名包含时间。\n'}
## 2. 部署

在你自己的电脑上，进入本 README 所在的目录：

\`\`\`sh
${run.upload}
\`\`\`

然后在目标服务器上执行，首次和以后每次都一样：

\`\`\`sh
${run.deploy}
\`\`\`

脚本先检查发布包、本机和配置，此时不做任何更改；然后备份、生成缺少的密钥、启动 Hub，并像用户和客户端那样逐项试用。切换之后若有失败会自动撤销：
上一个版本重新运行。\`--dry-run\` 只说明将要做什么。

如果上次发布之后有人在目标服务器上改过配置，脚本会停下（代码 73）：先查看差异，再用 \`--config keep\`（保留）或 \`--config replace\`（替换）。${target.services.includes('database') ? '\n使用 `DATABASE_URL` 时，数据库中的配置保持不变，请在网页界面中或通过 API 修改。' : ''}

只有 \`config\`、\`data\`、\`logs\` 和 \`backups\` 属于 Hub。它无法修改自己的程序、证书以及 nginx 读取的任何文件。
在 Debian 和 Ubuntu 上会移除 nginx 的默认站点，因为本站点会自行处理未知域名（直接关闭连接）。如果 nginx 只为 Hub 服务，或不以 root 运行：
\`nginx -p 目录 -c ${paths.current}/nginx/nginx.conf\`。

${
  docker
    ? '每个 Hub 在没有特权的容器中运行，只能写入这四个目录；重启机器后 Docker 会自动恢复它。'
    : systemd
      ? `重启机器后，\`mcp-hub.target\` 会自动恢复各个 Hub 和定时器。每个端口由 systemd 的套接字持有，Hub 重启期间到来的请求会在其中等待。
Hub 和它启动的服务器运行在沙箱里（\`systemd-analyze security mcp-hub@${target.basePort}.service\` 可查看）：
只能写入 \`${paths.root}/{config,data,logs,backups}\` 和自己的 /tmp。某个服务器需要更多权限时，用
\`systemctl edit mcp-hub@.service\` 添加，例如 \`ReadWritePaths=/srv/files\`；自带浏览器的服务器需要 \`RestrictNamespaces=no\`。`
      : 'PM2 以用户 `mcp-hub` 运行，重启机器后自动恢复；logrotate 负责日志轮转。'
}

## 3. 密钥

\`JWT_SECRET\`、\`MCP_HUB_TOKEN\` 和 \`MCP_HUB_ADMIN_PASSWORD\` 已自动生成；以后的部署会保留已有的值。其余的由你填写：

\`\`\`sh
${run.edit}
\`\`\`
${needs.length === 0 ? '' : `\n各 MCP 服务器需要以下值；缺少某个值时，对应的服务器不会启动并会说明原因，其余照常运行：\n\n| 名称 | 用途 |\n|---|---|\n${needed}\n`}${services === '' ? '' : `\n以下服务也在其中命名${docker ? '' : many ? '；除 `DATABASE_URL` 外，留空的服务，Hub 启动时不使用' : '；留空的服务，Hub 启动时不使用'}：\n\n| 名称 | 用途 |\n|---|---|\n${services}\n`}${target.services.some((service) => service === 'database' || service === 'redis') ? `\n数据库和 Redis 的地址也可以放在文件中（root 和组 \`mcp-hub\` 可读）：\`DATABASE_URL_FILE=${paths.root}/database_url\`、\`REDIS_URL_FILE=…\`。\n` : ''}${run.stores === null ? '' : `\n如果其他地方没有这些服务，可以让 compose 在 Hub 旁边运行它们，只有 Hub 能访问：\n\n\`\`\`sh\n${run.stores}\n\`\`\`\n`}
首次启动时会用 \`MCP_HUB_ADMIN_PASSWORD\`（自动生成或自行设置，8 到 72 字节）创建用户 \`admin\`。

在网页界面中设置的密钥保存在 \`${run.secretsFile}\` 中，供所有 Hub 共用，只有 Hub 的用户可读（权限 0600）。在 \`${paths.environment}\` 中加一行至少 32 个字符的
\`MCP_HUB_SECRETS_KEY=\`，该文件就会加密保存。\`${paths.environment}\` 中的值优先。

为自动生成的密钥换新值：

\`\`\`sh
${run.rotate}
\`\`\`

所有 MCP 客户端都需要新的令牌。用同样的方法可以更换 \`JWT_SECRET\`；之后所有人都要重新登录。

## 4. 浏览器信任的证书

首次部署会生成自签名证书${target.tls.certificate === undefined && target.tls.key === undefined ? '' : '（除非已放好你自己的证书）'}。从 Let's Encrypt 获取：

\`\`\`sh
${run.certificate}
\`\`\`

certbot 由定时器自动续期，每次续期都会执行该钩子。用 \`certbot renew --dry-run\` 测试。

## 5. 验证

\`\`\`sh
${run.check}
\`\`\`

然后打开 ${publicOrigin(target)} 登录。MCP 客户端使用 \`${publicOrigin(target)}/mcp\`，并携带 \`Authorization: Bearer …\`。
${
  many
    ? `
## ${target.instances} 个 Hub 实例

旧版 MCP 客户端的会话保存在 Hub 的内存中：会话标识中带有该 Hub 的名称，nginx 据此转发请求；该 Hub 停止后，${target.services.includes('redis') ? '另一个 Hub 会接续这些会话（\`REDIS_URL\`）。' : '客户端会在另一个 Hub 上建立新会话。'}
每个 Hub 各自启动 MCP 服务器${target.services.includes('redis') ? '' : '，各自统计请求次数和登录失败次数（用 Redis 可以统一统计）'}。配置、历史和审计保存在 PostgreSQL（\`DATABASE_URL\`）中：\n第一个启动的 Hub 会接管配置目录中的文件，之后通过一个 Hub 所做的修改会在一秒内到达其他 Hub。首次部署会生成 \`${paths.environment}\`，在其中填写 \`DATABASE_URL\` 之前以代码 69 结束：没有它，各 Hub 会各自为政。${docker || systemd ? '' : '\n重载时各 Hub 依次重启；正在进行的请求可能以 502 失败，重新发送即可。'}
`
    : ''
}
## 升级与回滚

重新发布，然后重复第 2 步。${docker ? '新的 Hub 在旧的旁边启动，就绪后接替它，旧的 Hub 完成手头的请求后才结束：不会丢失任何请求；只有 Web 界面或 nginx 配置不同时，nginx 需要约两秒。' : many && !systemd ? '' : systemd ? '旧的 Hub 完成手头的请求，期间到来的请求在套接字中等待：不会丢失任何请求。' : '新的 Hub 先启动，旧的 Hub 完成手头的请求后才结束：不会丢失任何请求。'}回到上一个版本：

\`\`\`sh
${run.rollback}
\`\`\`

部署之前的配置会随之恢复，除非之后又有改动；数据保持不变。再执行一次则重新前进；指定 \`${paths.root}/releases\` 中的名称可切换到该版本。保留最新的五个版本。

${
  run.pin === null
    ? ''
    : `## 按内容固定基础镜像

\`node:24…\` 这样的版本可能被发布者重新构建。在 Docker 能访问镜像仓库的机器上，下面的命令给出它们当前的摘要：

\`\`\`sh
${run.pin}
\`\`\`

发布时用 \`--image-digests\` 加上输出的那一行：Dockerfile 和 compose 文件便以摘要引用每个镜像，不会拉取到别的内容。同一版本有修复时，以及发布包改用其他版本时（旧摘要不再起作用），请重新执行。

`
}## 备份与恢复

\`\`\`sh
${run.backup}
\`\`\`

\`${paths.backups}\` 中的一个归档包含配置、用户、密钥、历史和 \`.env\`${target.services.includes('database') ? '，以及数据库' : ''}。归档读回核对之后才删除旧的；保留三十天，且至少保留最新的七个。
演练会试恢复最新的归档。两者都由${systemd ? '定时器' : ' cron '}执行。请把归档复制到另一台机器，并按密钥的要求保管。${encrypted}

\`\`\`sh
${run.restore}
\`\`\`

归档先经检查才会动手，现有内容先行备份；如果恢复后 Hub 不健康，会自动还原。在新机器上：先部署，再加 \`--with-env\` 恢复。${run.stores === null ? '' : '由 compose 在 Hub 旁边运行的存储，其地址保持该机器自己的。'}

## 防火墙

\`\`\`sh
${run.firewall}
\`\`\`

Hub 自身${docker ? '只在内部网络中监听' : '只监听 127.0.0.1'}。外部无法访问 \`/api/metrics\`。
如果 SSH 使用 22 以外的端口，请先改成该端口，否则会把自己锁在外面。
不用 ufw 时可用 \`ops/firewall.nft\`，文件开头说明了如何试用而不把自己锁在外面。

## 监控

\`ops/prometheus.yml\` 抓取每个 Hub 的指标，并从外部探测站点（Debian：\`apt-get install --yes prometheus prometheus-blackbox-exporter\`；
两者默认监听所有地址，请保留防火墙）。\`ops/alerts.yml\` 说明何时需要人处理，\`ops/grafana-dashboard.json\` 展示全貌。

## 故障排除

\`\`\`sh
${run.logs}
\`\`\`

| 现象 | 原因 | 解决办法 |
|---|---|---|
| Hub 以代码 78 退出${systemd ? '；尝试十次后 systemd 会关闭它的套接字（先 \`systemctl reset-failed\`，再启动 mcp-hub.target）' : '，PM2 一直显示 \`waiting restart\`'} | 配置有误；日志中有文件、行号和解决办法 | 修正配置；\`node ${paths.current}/hub/cli.js config check --config ${paths.config}\` |
| \`.env: not found\`，代码 9 | \`${paths.environment}\` 不存在或不可读 | 重新部署：缺少的内容会按正确的属主和权限生成 |
| nginx 返回 502 | Hub 没有运行或仍在启动 | 查看日志；在目标服务器上执行 \`curl http://127.0.0.1:${target.basePort}/health/ready\` |
| nginx：\`duplicate default server\` | 另一个站点已经处理未知域名 | 从那个站点删除 \`default_server\` |
| nginx：\`cannot load certificate\` | 还没有证书 | 重新部署，或见第 4 步 |
| 连接没有应答就被关闭 | 请求中的域名不是 \`${target.domain}\` | 使用该域名；检查 DNS |
| \`/mcp\` 返回 401 | 没有令牌，或令牌已过期 | \`${paths.environment}\` 中的 \`MCP_HUB_TOKEN\` |
| 某个服务器一直失败 | 本机没有它的命令，或缺少某个值 | 该服务器的页面会说明；另见本目录的 PORTABILITY.md |
| 端口被占用 | 其他进程占用了 ${target.basePort} | \`ss -ltnp\`；用另一个 \`--base-port\` 重新发布，Hub 的数据会保留 |
| 脚本以 65 结束 | 发布包或归档已损坏 | 重新上传 |
| 以 69 结束 | 本机缺少某样东西，脚本会指明 | 安装它；没有做任何更改 |
| 以 73 结束 | 配置被其他人改过，或无法备份 | \`--config keep\` 或 \`--config replace\`；腾出磁盘空间 |
| 以 75 结束 | 新版本不健康，上一个版本已重新运行 | 查看脚本的输出和日志 |
| 以 76 结束 | 新版本和上一个版本都不健康：**服务没有正常运行** | 查看日志；用 \`rollback.sh\` 回到更早的版本，或恢复备份 |
| 以 78 结束 | 配置被拒绝 | 修正指出的问题，重新发布 |
## 定期维护

| 时间 | 内容 |
|---|---|
| 每天 | ${systemd ? '定时器' : 'cron'} 自动备份并检查各服务器；查看告警 |
| 每周 | 失败的服务器、日志、被拒绝的访问 |
| 每月 | 系统更新、磁盘空间、恢复演练的结果 |
| 每季度 | 谁可以登录、有哪些令牌；演练一次回滚，并在另一台机器上恢复一次 |
`
}
