import type { Artifact } from '../context.ts'

export const logrotate: Artifact = {
  path: 'ops/logrotate.conf',
  why: "Keeps the logs small. As the hub's user, because logrotate refuses folders that others than root may write.",
  render: ({ paths }) => `# /etc/logrotate.d/mcp-hub

# The hub notices within seconds that its log was put aside: nothing has to be told. Until then it writes into that one,
# which is why it is compressed a day later.
${paths.logs}/hub-*.log {
    su mcp-hub mcp-hub
    daily
    maxsize 50M
    rotate 14
    compress
    delaycompress
    dateext
    dateformat -%Y%m%d-%s
    missingok
    notifempty
    create 0640 mcp-hub mcp-hub
}

# PM2 keeps these open.
${paths.logs}/pm2-*.log {
    su mcp-hub mcp-hub
    weekly
    maxsize 10M
    rotate 4
    compress
    dateext
    dateformat -%Y%m%d-%s
    missingok
    notifempty
    copytruncate
}
`,
}
