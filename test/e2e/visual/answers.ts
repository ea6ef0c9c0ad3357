import type {
  Account,
  HistoryPage,
  HubStatus,
  Me,
  Pin,
  ProfileSummary,
  ServerDetail,
  ServerStatus,
  Stats,
  ToolEntry,
  ToolUse,
} from '../../../hub/contract/index.ts'

/** What a hub answers for the pictures: the same at each run, to the millisecond. The page checks it against the contract. */
export const NOW = Date.UTC(2026, 0, 15, 9, 30)
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const me: Me = {
  user: { name: 'admin', role: 'admin' },
  permissions: [
    'hub:read',
    'hub:configure',
    'servers:read',
    'servers:operate',
    'servers:write',
    'servers:exec',
    'profiles:write',
    'tools:call',
    'history:read',
    'publish',
    'secrets:manage',
    'keys:manage',
    'users:manage',
  ],
  mustChangePassword: false,
  renewable: false,
  setupNeeded: false,
  mode: 'server',
}

const hub: HubStatus = {
  version: '1.0.0',
  mode: 'server',
  pid: 4711,
  startedAt: NOW - 26 * HOUR,
  nodeVersion: 'v24.0.0',
  endpoint: { state: 'listening', url: 'https://mcp.example.com/mcp', port: 443, takenBy: null, message: null },
  mcpAuth: 'token',
  configDir: '/etc/mcp-hub',
  configFaults: [],
  restartNeeded: [],
  sessions: 3,
  rssBytes: 198_000_000,
}

const noCounts = { tools: 0, prompts: 0, resources: 0, resourceTemplates: 0 }

function serverOf(name: string, more: Partial<ServerStatus>): ServerStatus {
  return {
    name,
    prefix: name,
    state: 'running',
    since: NOW - 26 * HOUR,
    reason: null,
    attempt: 0,
    nextTryAt: null,
    restarts: 0,
    transport: 'stdio',
    target: `mcp-server-${name}`,
    pid: null,
    era: null,
    protocolVersion: null,
    serverInfo: null,
    instructions: null,
    counts: noCounts,
    endpointPath: `/mcp/${name}`,
    startedAt: null,
    connections: 0,
    openStreams: 0,
    usage: null,
    ...more,
  }
}

const running = (pid: number, version: string, memoryBytes: number): Partial<ServerStatus> => ({
  pid,
  era: 'legacy',
  protocolVersion: '2025-11-25',
  serverInfo: { name: 'example', version },
  startedAt: NOW - 26 * HOUR,
  connections: 1,
  usage: { memoryBytes, cpuPercent: 1.5, processes: 1, at: NOW },
})

const memory = serverOf('memory', {
  ...running(4801, '0.6.3', 82_000_000),
  instructions: 'Read the graph before you write to it.',
  counts: { ...noCounts, tools: 4, resources: 1 },
  restarts: 1,
})
const servers: ServerStatus[] = [
  memory,
  serverOf('files', {
    ...running(4802, '0.2.0', 76_000_000),
    target: 'mcp-server-filesystem /srv/documents',
    counts: { ...noCounts, tools: 2 },
  }),
  serverOf('weather', {
    state: 'running',
    transport: 'http',
    target: 'https://weather.example.com/mcp',
    era: 'modern',
    protocolVersion: '2026-07-28',
    serverInfo: { name: 'weather', version: '3.1.4' },
    counts: { ...noCounts, tools: 2, prompts: 1 },
  }),
  serverOf('issue-tracker', {
    state: 'failed',
    since: NOW - 12 * MINUTE,
    target: 'issue-tracker-mcp --read-only',
    attempt: 1,
    reason: {
      code: 'command-not-found',
      message: 'The command issue-tracker-mcp was not found',
      cure: 'Check its spelling, install it, or give its full path.',
      detail: 'Looked in /usr/local/bin, /usr/bin, /bin',
    },
  }),
  serverOf('search', {
    state: 'backoff',
    since: NOW - 40 * SECOND,
    transport: 'http',
    target: 'http://127.0.0.1:9/mcp',
    attempt: 8,
    nextTryAt: NOW + 20 * SECOND,
    reason: {
      code: 'connection-refused',
      message: 'Nothing answers at 127.0.0.1:9 (connection refused)',
      cure: 'Start the server, or correct its URL and port.',
      detail: 'connect ECONNREFUSED 127.0.0.1:9',
    },
  }),
  serverOf('old-notes', { state: 'disabled', target: 'notes-mcp' }),
]

const memoryDetail: ServerDetail = {
  ...memory,
  capabilities: { tools: { listChanged: true }, resources: {} },
  history: [
    { state: 'starting', at: NOW - 50 * HOUR, reason: null },
    { state: 'running', at: NOW - 50 * HOUR + 900, reason: null },
    {
      state: 'backoff',
      at: NOW - 26 * HOUR - 2 * SECOND,
      reason: 'It ended with code 1',
    },
    { state: 'starting', at: NOW - 26 * HOUR - SECOND, reason: null },
    { state: 'running', at: NOW - 26 * HOUR, reason: null },
  ],
  config: { command: 'mcp-server-memory', env: { MEMORY_FILE_PATH: '/var/lib/memory.json' } },
  etag: '"1"',
}

const reads = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
const writes = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false }
const destroys = { ...writes, destructiveHint: true }
const tools: ToolEntry[] = (
  [
    ['memory', 'read_graph', 'Read Graph', 'Read the entire knowledge graph', reads, 43, 'approved'],
    ['memory', 'create_entities', 'Create Entities', 'Create multiple new entities', writes, 132, 'approved'],
    ['memory', 'add_observations', 'Add Observations', 'Add new observations to entities', writes, 122, 'changed'],
    [
      'memory',
      'delete_entities',
      'Delete Entities',
      'Delete multiple entities and relations',
      destroys,
      77,
      'approved',
    ],
    ['files', 'read_text_file', 'Read Text File', 'Read the contents of a file as text', reads, 188, 'approved'],
    ['files', 'write_file', 'Write File', 'Create a file or overwrite it completely', destroys, 94, 'quarantined'],
    ['weather', 'forecast', null, 'The weather of the next days at a place', reads, 88, 'approved'],
    ['weather', 'alerts', null, 'Warnings that are in force at a place', { ...reads, openWorldHint: true }, 64, 'new'],
  ] as const
).map(([server, name, title, description, annotations, tokens, pin]) => ({
  server,
  name,
  exposedName: `${server}__${name}`,
  title,
  description,
  inputSchema: { type: 'object' },
  ui: { resourceUri: null, visibility: ['model', 'app'] },
  annotations,
  pin,
  hash: pin === 'approved' ? null : 'hash',
  warnings: [],
  tokens,
}))

const profiles: ProfileSummary[] = [
  {
    name: 'research',
    endpointPath: '/mcp/research',
    config: {
      description: 'Reading only, for long conversations',
      servers: { memory: { tools: { include: ['read_*'] } }, weather: {} },
    },
    etag: '"1"',
    counts: { servers: 2, tools: 3, prompts: 1, resources: 1 },
    tokens: 195,
    tokensOfAll: 195,
  },
  {
    name: 'all',
    endpointPath: '/mcp/all',
    config: { description: 'Everything, found by search', servers: {}, otherServers: true, toolSearch: true },
    etag: '"1"',
    counts: { servers: 3, tools: 8, prompts: 1, resources: 1 },
    tokens: 287,
    tokensOfAll: 808,
  },
]

const accounts: Account[] = [
  {
    server: 'weather',
    configured: true,
    state: 'signed-in',
    who: 'ada@example.com',
    issuer: 'https://login.example.com',
    scopes: ['weather.read'],
    expiresAt: NOW + HOUR,
    renewable: true,
    signedInAt: NOW - 26 * HOUR,
    lastRefreshAt: NOW - 10 * MINUTE,
    lastError: null,
    reason: null,
  },
]

const points = Array.from({ length: 60 }, (_, index) => {
  const calls = index < 20 ? 0 : (index * 7) % 11
  return {
    at: NOW - HOUR + index * MINUTE,
    calls,
    errors: index % 17 === 0 && calls > 0 ? 1 : 0,
    p50: calls === 0 ? null : 20 + ((index * 5) % 13),
    p95: calls === 0 ? null : 90 + ((index * 11) % 41),
  }
})
const calls = points.reduce((sum, point) => sum + point.calls, 0)
const errors = points.reduce((sum, point) => sum + point.errors, 0)
const traffic = { p50: 24, p95: 118, bytesIn: 14_200, bytesOut: 96_400 }
const stats: Stats = {
  window: 'hour',
  from: NOW - HOUR,
  to: NOW,
  stepMs: MINUTE,
  callsPerMinute: calls / 60,
  errorRate: errors / calls,
  total: { ...traffic, calls, errors },
  points,
  servers: [
    { ...traffic, server: 'memory', calls: calls - 60, errors },
    { ...traffic, server: 'files', calls: 60, errors: 0 },
  ],
  clients: [
    { ...traffic, client: 'claude-code', principal: 'key:laptop', lastAt: NOW - 5 * SECOND, calls: calls - 9, errors },
    { ...traffic, client: 'cursor', principal: 'key:laptop', lastAt: NOW - 31 * MINUTE, calls: 9, errors: 0 },
  ],
  dropped: 0,
}

const asked = ['read_graph', 'create_entities', 'read_text_file'] as const
const outcomes = ['ok', 'ok', 'tool-error', 'ok', 'ok', 'error', 'ok'] as const
const history: HistoryPage = {
  items: Array.from({ length: 7 }, (_, index) => {
    const outcome = outcomes[index % outcomes.length] ?? 'ok'
    const name = asked[index % asked.length] ?? 'read_graph'
    return {
      id: 1_000 - index,
      at: NOW - (index * 47 + 5) * SECOND,
      durationMs: 1.5 + ((index * 37) % 200),
      principal: 'key:laptop',
      client: index % 4 === 3 ? 'cursor' : 'claude-code',
      endpoint: '/mcp',
      server: tools.find((tool) => tool.name === name)?.server ?? null,
      method: 'tools/call',
      name,
      bytesIn: 60 + index,
      bytesOut: 900 + index * 31,
      outcome,
      errorCode: outcome === 'error' ? -32_001 : null,
      errorMessage: outcome === 'error' ? 'memory did not answer within 60 s' : null,
      waitedMs: null,
      sentMs: 0.4,
      notifiedMs: null,
      repliedMs: 1.2,
      notifications: 0,
      firstByteMs: null,
      askedMs: null,
      clientMs: null,
      traceId: null,
      requestId: `request-${index}`,
    }
  }),
  next: null,
}

const told = { name: '(instructions)', description: memory.instructions }
const memoryPin: Pin = {
  server: 'memory',
  tool: null,
  state: 'approved',
  approvedAt: NOW - 26 * HOUR,
  approvedBy: 'policy',
  approved: told,
  current: told,
  hash: 'hash',
  warnings: [],
}

const lastUsed: ToolUse[] = [
  { server: 'memory', name: 'read_graph', at: NOW - 5 * SECOND },
  { server: 'files', name: 'read_text_file', at: NOW - 26 * HOUR },
]

/** By path; what a path is asked for does not matter. */
export const answers: Readonly<Record<string, unknown>> = {
  '/api/auth/me': me,
  '/api/hub': hub,
  '/api/servers': servers,
  '/api/servers/memory': memoryDetail,
  '/api/servers/memory/instructions/pin': memoryPin,
  '/api/tools': tools,
  '/api/tools/last-used': lastUsed,
  '/api/prompts': [],
  '/api/resources': [],
  '/api/profiles': profiles,
  '/api/accounts': accounts,
  '/api/stats': stats,
  '/api/history': history,
}
