import type {
  Plan,
  PublishRecord,
  PublishRecordDetail,
  RunEvent,
  RunStep,
  SavedTarget,
} from '../../hub/contract/index.ts'
import { wordsOfScript } from '../../hub/publish/push/script-words.ts'
import { say, told, type Words } from '../../hub/say.ts'

/**
 * Targets and runs as the page gets them on the desktop. A browser at a server's hub has none of them, and a picture of a push
 * must not need a server to push to.
 */
const HOUR = 3_600_000
const now = Date.now()
const target: Omit<SavedTarget['target'], 'domain'> = {
  mode: 'pm2',
  instances: 1,
  basePort: 3000,
  httpPort: 80,
  httpsPort: 443,
  nginxVersion: '1.22',
  installDir: '/opt/mcp-hub',
  tls: {},
  services: [],
  backupRecipients: [],
  imageDigests: [],
}
const host = { port: 22, user: 'root', signIn: { method: 'agent' } } as const
const connection = { ...host, sudo: false }
const NEW = '1.3.0-5fd09c21'
const OLD = '1.2.1-9ac41e07'

const record = (id: string, hoursAgo: number, more: Partial<PublishRecord>): PublishRecord => ({
  id,
  at: now - hoursAgo * HOUR,
  durationMs: 41_300,
  by: 'desktop',
  operation: 'push',
  release: OLD,
  before: '1.2.0-01c2aa9e',
  outcome: 'done',
  problem: null,
  ...more,
})
const records = [
  record('r3', 3, {
    release: NEW,
    before: OLD,
    outcome: 'rolled-back',
    durationMs: 74_200,
    problem: told({
      code: 'HUB_DEPLOY_FAILED',
      detail: wordsOfScript('The new release did not become healthy.'),
      cure: say`What was in use before was put back. The log of this run says why. Correct that, and push again.`,
    }),
  }),
  record('r2', 50, {}),
  record('r1', 190, { release: '1.2.0-01c2aa9e', before: null }),
]

const targets: SavedTarget[] = [
  {
    name: 'production',
    target: { ...target, domain: 'hub.example.com', instances: 2, services: ['database', 'redis'] },
    connection: {
      ...connection,
      host: 'hub.example.com',
      jump: { ...host, host: 'bastion.example.com', user: 'ops' },
    },
    last: record('r2', 50, {}),
  },
  {
    name: 'staging',
    target: { ...target, domain: 'staging.example.com', mode: 'systemd' },
    connection: { ...connection, host: 'staging.example.com', user: 'deploy', sudo: true },
    last: records[0] ?? null,
  },
  {
    name: 'workshop',
    target: { ...target, domain: 'mcp.workshop.example', mode: 'docker' },
    connection: { ...connection, host: '192.0.2.10' },
    last: null,
  },
]

const comparison: Plan['comparison'] = {
  there: { release: OLD, version: '1.2.1' },
  here: { release: NEW, version: '1.3.0' },
  files: [
    {
      path: 'config/servers.json',
      kind: 'changed',
      group: 'config',
      diff: '@@ -1,6 +1,10 @@\n {\n   "mcpServers": {\n+    "search": {\n+      "type": "http",\n+      "url": "https://search.example.com/mcp"\n+    },\n     "memory": {\n-      "command": "mcp-server-memory"\n+      "command": "mcp-server-memory",\n+      "hub": { "description": "What the assistant remembers" }\n',
    },
    {
      path: 'pm2/ecosystem.config.cjs',
      kind: 'changed',
      group: 'generated',
      diff: '@@ -12,3 +12,3 @@\n   name: "mcp-hub",\n-  instances: 1,\n+  instances: 2,\n',
    },
    { path: 'ops/smoke.sh', kind: 'added', group: 'generated', diff: null },
    { path: 'hub/server.js', kind: 'changed', group: 'built', diff: null },
    { path: 'web/index.html', kind: 'changed', group: 'built', diff: null },
  ],
  meanings: [
    {
      code: 'version-changed',
      subject: 'MCP Hub',
      field: null,
      item: null,
      before: '1.2.1',
      after: '1.3.0',
      message: '',
    },
    { code: 'target-changed', subject: 'instances', field: null, item: null, before: '1', after: '2', message: '' },
    { code: 'server-added', subject: 'search', field: null, item: null, before: null, after: null, message: '' },
    {
      code: 'server-changed',
      subject: 'memory',
      field: 'hub.description',
      item: null,
      before: null,
      after: '"What the assistant remembers"',
      message: '',
    },
    {
      code: 'item-hidden',
      subject: 'research',
      field: 'servers.everything.tools.exclude',
      item: 'get-env',
      before: null,
      after: null,
      message: '',
    },
  ],
}
const plan: Plan = {
  release: NEW,
  inUse: OLD,
  previous: '1.2.0-01c2aa9e',
  releases: [OLD, '1.2.0-01c2aa9e'],
  system: 'Debian GNU/Linux 12 (bookworm)',
  freeBytes: 18_400_000_000,
  neededBytes: 64_000_000,
  archiveBytes: 4_120_000,
  uploadedBytes: 0,
  requirements: [
    { name: 'node', found: '24.21.0', needed: '24', ok: true, cure: null },
    { name: 'nginx', found: '1.22.1', needed: null, ok: true, cure: null },
    { name: 'pm2', found: '7.0.4', needed: null, ok: true, cure: null },
  ],
  configChanged: [],
  comparison,
  obstacles: [],
}

const started: RunEvent = { type: 'started', run: 'run-1', operation: 'push' }
const step = (name: string, state: RunStep['state'], message: Words, seconds = 0): RunEvent => ({
  ...told({ type: 'step' as const, step: name, state, message }),
  at: now + seconds * 1_000,
})
const taken = (name: string, seconds: number, message: Words): RunEvent[] => [
  step(name, 'start', message),
  step(name, 'ok', message, seconds),
]
const looked = [
  started,
  ...taken('connect', 0.4, say`Signed in as ${'deploy'}, root with sudo`),
  ...taken('inspect', 0.9, say`${OLD} is in use`),
  ...taken('check', 2.1, say`${48} files of release ${NEW}, ${'4.1 MB'} packed`),
]
const uploaded = [...looked, ...taken('upload', 3.2, say`${'4.1 MB'} are there`)]
const steps: RunStep[] = uploaded.flatMap((event) => (event.type === 'step' ? [event] : []))

/** What a run tells and then waits with; by the name of the picture. */
const runs: Record<string, RunEvent[]> = {
  confirm: [...looked, { type: 'question', question: 'q1', kind: 'confirm-push', plan }],
  'host-key': [
    started,
    step('connect', 'start', say`Connecting to ${'hub.example.com'}`),
    {
      type: 'question',
      question: 'q1',
      kind: 'host-key',
      hop: 'target',
      host: 'hub.example.com',
      port: 22,
      algorithm: 'ssh-ed25519',
      fingerprint: 'SHA256:uNiVztksCsDhcc0u9e8BrSx0MNrGPIVZTlEa1fAk5WQ',
    },
  ],
  upload: [
    ...looked,
    step('upload', 'start', say`Uploading ${'4.1 MB'}`),
    { type: 'progress', step: 'upload', done: 2_600_000, total: 4_120_000 },
  ],
  failed: [
    ...uploaded,
    ...taken('switch', 0.1, wordsOfScript(`Turning /opt/mcp-hub/current to ${NEW}`)),
    step('health', 'start', wordsOfScript('Waiting until they are healthy')),
    { type: 'log', text: 'hub-0  database: connect ECONNREFUSED 127.0.0.1:5432' },
    step('health', 'failed', wordsOfScript('The new release did not become healthy.'), 30),
    ...taken('rollback', 2.4, wordsOfScript('Putting back what was in force before')),
    {
      type: 'result',
      operation: 'push',
      outcome: 'rolled-back',
      inUse: OLD,
      message: '',
      problem: records[0]?.problem ?? null,
      record: 'r3',
      plan: null,
      verifications: null,
      pulled: null,
    },
  ],
}

const detail: PublishRecordDetail = {
  ...(records[0] ?? record('r3', 3, {})),
  target: { ...target, domain: 'hub.example.com' },
  steps,
  log: [
    '==> Requirements',
    'node 24.21.0, nginx 1.22.1, pm2 7.0.4',
    '==> Health',
    'connect ECONNREFUSED 127.0.0.1:5432',
  ],
  comparison,
  manifest: null,
  files: [],
}

export interface DesktopAnswers {
  /** By path. */
  json: Record<string, unknown>
  /** What a run answers before it waits for ever; as lines. */
  run: string
}

/** What the hub of a desktop would answer to the pages of Publish. */
export function desktopAnswers(run: string): DesktopAnswers {
  const at = '/api/publish/targets'
  return {
    json: {
      // Without an answer here the hub is asked, which a picture may have fail.
      ...(run !== 'failed-targets' && { [at]: run === 'no-targets' ? [] : targets }),
      ...Object.fromEntries(targets.map((one) => [`${at}/${one.name}`, one])),
      ...Object.fromEntries(targets.map((one) => [`${at}/${one.name}/history`, one.last === null ? [] : records])),
      [`${at}/production/history/r3`]: detail,
    },
    run: (runs[run] ?? []).map((event) => `${JSON.stringify(event)}\n`).join(''),
  }
}

/** Put into a page before anything else: has it believe that it is in the app. */
export function answerAsDesktop({ json, run }: DesktopAnswers): void {
  const original = globalThis.fetch
  const answer = (body: string | ReadableStream, type: string): Response =>
    new Response(body, { headers: { 'content-type': type } })
  globalThis.fetch = async (input, init) => {
    const path = typeof input === 'string' ? input : ''
    if (path in json) return answer(JSON.stringify(json[path]), 'application/json')
    if (/^\/api\/publish\/targets\/[^/]+\/(?:push|plan|verify|rollback|pull)$/.test(path)) {
      const open = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(run)) })
      return answer(open, 'application/x-ndjson')
    }
    const response = await original(input, init)
    if (path !== '/api/auth/me') return response
    const me = (await response.json()) as { permissions: string[] }
    return answer(JSON.stringify({ ...me, permissions: [...me.permissions, 'host:access'] }), 'application/json')
  }
}
