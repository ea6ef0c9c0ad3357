import { hubPorts, type Artifact } from '../context.ts'
import { serviceVariables } from '../variables.ts'

export const ecosystem: Artifact = {
  path: 'pm2/ecosystem.config.cjs',
  why: 'How PM2 runs the hub: it waits until the hub says ready, lets it drain before it ends, and does not restart a hub whose configuration is broken.',
  render: ({ target, paths, needs }) => {
    const ports = hubPorts(target)
    const environmentOnly = [
      'JWT_SECRET',
      'MCP_HUB_',
      ...target.services.map((service) => serviceVariables[service].name),
      ...needs.map(({ name }) => name),
    ]
    const mode =
      ports.length === 1
        ? `  // Cluster, so that a reload starts the new hub before it ends the old one: no request is lost.
  exec_mode: 'cluster',`
        : `  // One process with a port of its own each, so that nginx can send a client to the hub that holds its session.
  exec_mode: 'fork',`
    return `'use strict'

// pm2 startOrReload ${paths.current}/pm2/ecosystem.config.cjs
// Paths go through the link 'current', so that a reload after an upgrade or a rollback runs the other release.
const root = ${quote(paths.root)}
const ports = [${ports.join(', ')}]

const hub = (port) => ({
  name: ports.length === 1 ? 'mcp-hub' : \`mcp-hub-\${port}\`,
  cwd: \`\${root}/current\`,
  script: \`\${root}/current/hub/server.js\`,
${mode}
  instances: 1,
  // Secrets are read from the file at each start and are never part of what PM2 saves.
  node_args: [\`--env-file=\${root}/.env\`, '--max-old-space-size=512', '--max-semi-space-size=8', '--initial-old-space-size=64', '--expose-gc'],
  // A value left over in the shell that called pm2 must not win over the file.
  filter_env: ${JSON.stringify(environmentOnly).replaceAll('"', "'").replaceAll(',', ', ')},
  env: {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(port),
    // Stands before the ids of its sessions; nginx knows it.
    MCP_HUB_INSTANCE: String(port),
${ports.length === 1 ? '' : `    // One of several: it does not start without DATABASE_URL.\n    MCP_HUB_SHARED: 'yes',\n`}    CONFIG_DIR: \`\${root}/config\`,
    DATA_DIR: \`\${root}/data/\${port}\`,
    // Of all hubs: who signs in at one is signed in at the others.
    ACCOUNTS_DIR: \`\${root}/data/accounts\`,
    // Of all hubs, too: what is set in the web UI. The hub writes it with mode 0600.
    MCP_HUB_SECRETS_FILE: \`\${root}/data/secrets.json\`,
    LOG_FILE: \`\${root}/logs/hub-\${port}.log\`,
    // logrotate puts it aside (ops/logrotate.conf); two that do would lose lines.
    LOG_ROTATION: 'external',
${target.logLevel === undefined ? '' : `    LOG_LEVEL: '${target.logLevel}',\n`}  },
  // The hub calls process.send('ready') when it listens. Its drain takes up to 30 s for running calls.
  wait_ready: true,
  listen_timeout: 20000,
  kill_timeout: 45000,
  // Only the hub is told to end: it ends its servers itself, once their calls are done.
  treekill: false,
  max_memory_restart: '768M',
  exp_backoff_restart_delay: 200,
  // 78: the configuration is broken. A restart cannot cure it, and would bury the message that says what is wrong.
  stop_exit_codes: [78],
  // What is printed before the hub's own log begins, and what a crash leaves.
  out_file: \`\${root}/logs/pm2-\${port}.out.log\`,
  error_file: \`\${root}/logs/pm2-\${port}.err.log\`,
  merge_logs: true,
  time: true,
})

module.exports = { apps: ports.map(hub) }
`
  },
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
