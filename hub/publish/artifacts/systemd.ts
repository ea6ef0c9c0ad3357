import { hubPorts, type Artifact, type TargetPaths } from '../context.ts'

/** Options of node: a hub needs little, and what it does not need goes back to the system. */
const NODE_OPTIONS = '--max-old-space-size=512 --max-semi-space-size=8 --initial-old-space-size=64 --expose-gc'

/** Who ends a unit first: a hub's drain takes up to 33 s, and its servers get 5 s more. */
const STOP_SECONDS = 45

export const systemdSocket: Artifact = {
  path: 'systemd/mcp-hub@.socket',
  why: 'Holds the port of a hub while the hub itself restarts: what connects meanwhile waits, and nothing is refused.',
  render: () => `# One for each hub; its port is its name: mcp-hub@3000.socket.

[Unit]
Description=Port of MCP Hub %i
PartOf=mcp-hub.target

[Socket]
# nginx is on the same machine; nobody else reaches the hub.
ListenStream=127.0.0.1:%i
Backlog=4096
NoDelay=yes

[Install]
WantedBy=mcp-hub.target
`,
}

export const systemdService: Artifact = {
  path: 'systemd/mcp-hub@.service',
  why: 'A hub on the socket of the same name: drained before it ends, watched, and shut into a sandbox that its servers share.',
  render: ({ paths, target }) => `# Restart one hub with systemctl restart mcp-hub@PORT.service; its socket stays.

[Unit]
Description=MCP Hub on port %i
Requires=mcp-hub@%i.socket
After=mcp-hub@%i.socket network-online.target
Wants=network-online.target
PartOf=mcp-hub.target
# Ten starts in ten seconds are those of a broken configuration (code 78), which every new connection would try again.
StartLimitIntervalSec=10
StartLimitBurst=10

[Service]
Type=notify
# Told by systemd-notify, which the hub starts: node has no sockets of that kind.
NotifyAccess=all
WatchdogSec=60
TimeoutStartSec=60
User=mcp-hub
Group=mcp-hub
UMask=0027
WorkingDirectory=${paths.current}
# Secrets are read from the file by node: no unit, no systemctl show and no list of processes has them.
ExecStart=node --env-file=${paths.environment} ${NODE_OPTIONS} ${paths.current}/hub/server.js
Environment=NODE_ENV=production HOST=127.0.0.1 PORT=%i
# Stands before the ids of its sessions; nginx knows it.
Environment=MCP_HUB_INSTANCE=%i
${target.instances === 1 ? '' : `# One of several: it does not start without DATABASE_URL.\nEnvironment=MCP_HUB_SHARED=yes\n`}Environment=CONFIG_DIR=${paths.config} DATA_DIR=${paths.data}/%i
# Of all hubs: who signs in at one is signed in at the others, and what is set in the web UI is known to all.
Environment=ACCOUNTS_DIR=${paths.data}/accounts MCP_HUB_SECRETS_FILE=${paths.data}/secrets.json
# Where npx and uvx keep what they download.
Environment=HOME=${paths.data}
${target.logLevel === undefined ? '' : `Environment=LOG_LEVEL=${target.logLevel}\n`}StandardOutput=journal
StandardError=journal
SyslogIdentifier=mcp-hub-%i

# Only the hub is told to end: it ends its servers itself, once their calls are done.
KillMode=mixed
TimeoutStopSec=${STOP_SECONDS}
Restart=always
RestartSec=1
# 78: the configuration is broken. A restart cannot cure it, and would bury the message that says what is wrong.
RestartPreventExitStatus=78

# Of the hub and its servers together.
MemoryHigh=1536M
MemoryMax=2G
# One server that takes too much is ended; the hub starts it again.
OOMPolicy=continue
TasksMax=1024
LimitNOFILE=65536

${sandbox(paths)}`,
}

export const systemdTarget: Artifact = {
  path: 'systemd/mcp-hub.target',
  why: 'All hubs and timers of this target by one name, to start, to stop, and at boot.',
  render: ({ target }) => {
    const hubs = hubPorts(target).map((port) => `mcp-hub@${port}.socket mcp-hub@${port}.service`)
    return `# systemctl enable --now mcp-hub.target. Never restart it: that would close the sockets. Restart the hubs, one after the other.

[Unit]
Description=MCP Hub at ${target.domain}
${hubs.map((names) => `Wants=${names}\n`).join('')}Wants=mcp-hub-backup.timer mcp-hub-restore-drill.timer mcp-hub-doctor.timer

[Install]
WantedBy=multi-user.target
`
  },
}

/**
 * All that systemd offers and node bears. MemoryDenyWriteExecute is left out, because V8 makes code while it runs; ProcSubset,
 * because node counts processors and memory in /proc; PrivateUsers, because machines without user namespaces (containers, hardened
 * kernels) would start nothing at all.
 */
export function sandbox(paths: TargetPaths, writable = [paths.config, paths.data, paths.logs, paths.backups]): string {
  return `# The sandbox, of the hub and of the servers that it starts.
# Without MemoryDenyWriteExecute, because V8 makes code while it runs; a server with a browser of its own needs RestrictNamespaces=no.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
# "-": one that is missing is not needed.
ReadWritePaths=${writable.map((folder) => `-${folder}`).join(' ')}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
`
}
