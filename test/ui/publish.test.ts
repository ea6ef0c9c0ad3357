import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h, onMounted, ref } from 'vue'
import { toast } from 'vue-sonner'
import { targetSchema, type Plan, type RunEvent, type RunQuestion, type TargetInput } from '../../hub/contract/index.ts'
import { previewSummary } from '../../renderer/features/publish/bundle/preview-summary.ts'
import { publishCommand } from '../../renderer/features/publish/bundle/publish-command.ts'
import { applyEvent, beginRun, releaseInUse, runText } from '../../renderer/features/publish/push/run-state.ts'
import RunPanel from '../../renderer/features/publish/push/RunPanel.vue'
import RunQuestionForm from '../../renderer/features/publish/push/RunQuestion.vue'
import { useRuns } from '../../renderer/features/publish/push/runs.ts'
import NewTargetPage from '../../renderer/features/publish/target/NewTargetPage.vue'
import { completed, sshAddress } from '../../renderer/features/publish/target/connection-form.ts'
import TargetForm from '../../renderer/features/publish/target/TargetForm.vue'
import { highlightLines } from '../../renderer/lib/highlight.ts'
import { eventually } from './eventually.ts'
import { show, type } from './show.ts'

const answers = new Map<string, () => Response>()
const sent: { path: string; body: unknown }[] = []
beforeEach(() => {
  answers.clear()
  sent.length = 0
  sessionStorage.clear()
  vi.stubGlobal('fetch', (path: string, init?: RequestInit) => {
    sent.push({ path, body: typeof init?.body === 'string' ? JSON.parse(init.body) : null })
    const answer = answers.get(path)
    return answer === undefined ? Promise.reject(new TypeError('no hub')) : Promise.resolve(answer())
  })
})
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})
const json =
  (value: unknown): (() => Response) =>
  () =>
    new Response(JSON.stringify(value))

const step = (name: string, state: 'start' | 'ok' | 'failed', at: number): RunEvent => ({
  type: 'step',
  step: name,
  state,
  message: `${name} ${state}`,
  at,
})
const asked: RunQuestion = {
  type: 'question',
  question: 'q1',
  kind: 'host-key',
  hop: 'target',
  host: 'hub.example.com',
  port: 2222,
  algorithm: 'ssh-ed25519',
  fingerprint: 'SHA256:abc',
}
const plan: Plan = {
  release: '2.0.0-aa',
  inUse: '1.0.0-bb',
  previous: null,
  releases: ['1.0.0-bb'],
  system: null,
  freeBytes: 10,
  neededBytes: 5,
  archiveBytes: 5,
  uploadedBytes: 0,
  requirements: [],
  configChanged: [],
  comparison: {
    there: null,
    here: { release: '2.0.0-aa', version: '2.0.0' },
    files: [],
    meanings: [
      { code: 'server-added', subject: 'time', field: null, item: null, before: null, after: null, message: '' },
    ],
  },
  obstacles: [],
}
const result: RunEvent = {
  type: 'result',
  operation: 'push',
  outcome: 'failed',
  inUse: '1.0.0-bb',
  message: '',
  problem: { code: 'HUB_TARGET_UNREACHABLE', detail: 'Connection refused', cure: 'Start sshd there.' },
  record: null,
  plan: null,
  verifications: null,
  pulled: null,
}

/** Answers a run with what is told then. */
function streamOf(path: string): { tell: (event: RunEvent) => void; end: () => void } {
  let out: ReadableStreamDefaultController<Uint8Array>
  answers.set(
    path,
    () => new Response(new ReadableStream<Uint8Array>({ start: (controller) => void (out = controller) })),
  )
  return {
    tell: (event) => out.enqueue(new TextEncoder().encode(`${JSON.stringify(event)}\n`)),
    end: () => out.close(),
  }
}

describe('a run', () => {
  it('shows each step once, with the time that it took, and forgets questions when it ends', () => {
    const events: RunEvent[] = [
      { type: 'started', run: 'r', operation: 'push' },
      step('connect', 'start', 1_000),
      asked,
      step('connect', 'ok', 1_400),
      step('upload', 'start', 2_000),
      { type: 'progress', step: 'upload', done: 3, total: 9 },
      { type: 'log', text: 'a line' },
    ]
    const run = events.reduce(applyEvent, beginRun('one', 'push'))
    expect(run.steps.map(({ step: name, state, startedAt, endedAt }) => [name, state, startedAt, endedAt])).toEqual([
      ['connect', 'ok', 1_000, 1_400],
      ['upload', 'start', 2_000, null],
    ])
    expect(run).toMatchObject({ id: 'r', progress: { done: 3, total: 9 }, ended: false })
    expect(run.questions).toHaveLength(1)
    const over = applyEvent(run, result)
    expect(over).toMatchObject({ questions: [], ended: true })
    for (const part of ['push one', '400 ms', 'a line', 'HUB_TARGET_UNREACHABLE: Connection refused', '→ Start sshd'])
      expect(runText(over)).toContain(part)
  })

  it('leaves in use what it replaced, unless it was done', () => {
    const record = { id: '1', at: 0, durationMs: 0, by: 'x', operation: 'push', release: 'new', before: 'old' } as const
    expect(releaseInUse({ ...record, outcome: 'done', problem: null })).toBe('new')
    for (const outcome of ['failed', 'rolled-back', 'cancelled'] as const)
      expect(releaseInUse({ ...record, outcome, problem: null })).toBe('old')
    expect(releaseInUse(null)).toBe('')
    // What was looked at counts more than how it ended.
    expect(releaseInUse({ ...record, outcome: 'cancelled', inUse: 'new', problem: null })).toBe('new')
    expect(releaseInUse({ ...record, outcome: 'cancelled', inUse: null, problem: null })).toBe('')
  })

  it('is followed as it is told, asks, and takes the answer to its question only', async () => {
    const { tell, end } = streamOf('/api/publish/targets/one/push')
    answers.set('/api/publish/runs/r/questions/q1', () => new Response(null, { status: 204 }))
    const page = show(
      defineComponent(() => {
        const runs = useRuns()
        return () => [
          h('button', { onClick: () => void runs.start('one', 'push') }, 'Begin'),
          runs.runs.get('one') && h(RunPanel, { run: runs.runs.get('one')! }),
        ]
      }),
    )
    page.get('button', 'Begin').click()
    await flushPromises()
    tell({ type: 'started', run: 'r', operation: 'push' })
    tell(asked)
    await eventually(() => expect(document.body.textContent).toContain('Is this hub.example.com:2222?'))
    page.get('button', 'It is: connect').click()
    await eventually(() => expect(page.find('button', 'It is: connect')).toBeNull())
    expect(sent.at(-1)).toEqual({ path: '/api/publish/runs/r/questions/q1', body: { yes: true } })
    tell(step('connect', 'ok', 5))
    await eventually(() => expect(document.body.textContent).toContain('connect ok'))
    expect(page.find('button', 'It is: connect')).toBeNull()
    tell(result)
    end()
    await eventually(() => expect(document.body.textContent).toContain('The push failed'))
    for (const part of ['Connection refused', 'Start sshd there.', 'In use on the server:', '1.0.0-bb'])
      expect(document.body.textContent).toContain(part)
  })

  it('that is cancelled goes on until the hub has looked what is in use then', async () => {
    const { tell, end } = streamOf('/api/publish/targets/one/push')
    let isThere = false
    answers.set('/api/publish/runs/r', () => new Response(isThere ? null : '{}', { status: isThere ? 204 : 503 }))
    const page = show(
      defineComponent(() => {
        const runs = useRuns()
        return () => [
          h('button', { onClick: () => void runs.start('one', 'push') }, 'Begin'),
          runs.runs.get('one') && h(RunPanel, { run: runs.runs.get('one')! }),
        ]
      }),
    )
    page.get('button', 'Begin').click()
    await flushPromises()
    tell({ type: 'started', run: 'r', operation: 'push' })
    tell(step('remove', 'start', 5))
    await eventually(() => expect(document.body.textContent).toContain('remove start'))
    const isHeldBack = (): boolean => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }))
    expect(isHeldBack()).toBe(true)
    const said = vi.spyOn(toast, 'error')
    page.get('button', 'Cancel').click()
    await eventually(() => expect(said).toHaveBeenCalledOnce())
    isThere = true
    page.get('button', 'Cancel').click()
    await eventually(() => expect(document.body.textContent).toContain('Cancelling…'))
    expect(sent.at(-1)).toMatchObject({ path: '/api/publish/runs/r' })
    const message = '2.0.0-new is in use on the target.'
    tell({ type: 'step', step: 'cancel', state: 'ok', message, at: 9 })
    tell({ ...result, outcome: 'cancelled', inUse: '2.0.0-new', message: `Cancelled. ${message}`, problem: null })
    end()
    await eventually(() => expect(document.body.textContent).toContain(`Cancelled. ${message}`))
    expect(document.querySelector('ol[aria-label="Steps"] li:last-child .font-medium')?.textContent).toBe('Cancel')
    expect(page.find('button', 'Cancel')).toBeNull()
    expect(isHeldBack()).toBe(false)
  })

  it('is begun again with what it was begun with', async () => {
    answers.set('/api/publish/targets/one/rollback', () => new Response(''))
    const page = show(
      defineComponent(() => {
        const runs = useRuns()
        onMounted(() => void runs.start('one', 'rollback', { release: '1.1.0' }))
        return () => {
          const run = runs.runs.get('one')
          return run && h(RunPanel, { run, onAgain: () => void runs.start('one', run.operation, run.body) })
        }
      }),
    )
    await eventually(() => expect(document.body.textContent).toContain('The run broke off'))
    sent.length = 0
    await eventually(() => {
      page.find('button', 'Try again')?.click()
      expect(sent).toContainEqual({ path: '/api/publish/targets/one/rollback', body: { release: '1.1.0' } })
    })
  })

  it('that is cut off says so, and that a cancelled one changed nothing', async () => {
    answers.set('/api/publish/targets/one/plan', () => new Response(''))
    const page = show(
      defineComponent(() => {
        const runs = useRuns()
        return () => [
          h('button', { onClick: () => void runs.start('one', 'plan') }, 'Begin'),
          runs.runs.get('one') && h(RunPanel, { run: runs.runs.get('one')! }),
        ]
      }),
    )
    page.get('button', 'Begin').click()
    await eventually(() => expect(document.body.textContent).toContain('The run broke off'))

    answers.set('/api/publish/targets/one/plan', () => new Response(new ReadableStream()))
    vi.stubGlobal('fetch', (_path: string, init?: RequestInit) => {
      const stream = new ReadableStream({
        start: (controller) => init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason)),
      })
      return Promise.resolve(new Response(stream))
    })
    page.get('button', 'Begin').click()
    await flushPromises()
    // Vue lets nobody hear of a click in the millisecond in which its button came.
    await eventually(() => {
      page.find('button', 'Cancel')?.click()
      expect(document.body.textContent).toContain('Cancelled. Nothing was changed.')
    })
  })
})

describe('a question', () => {
  const answer = vi.fn<(body: unknown) => Promise<void>>(() => Promise.resolve())
  beforeEach(() => answer.mockClear())

  it('gives a passphrase to the run, and says when it was wrong', async () => {
    show(RunQuestionForm, {
      asked: { type: 'question', question: 'q', kind: 'passphrase', file: '~/.ssh/id', wrong: true },
      answer,
    })
    expect(document.body.textContent).toContain('That was not it.')
    const field = document.querySelector<HTMLInputElement>('input[type="password"]')!
    type(field, 'open sesame')
    field.form?.requestSubmit()
    await flushPromises()
    expect(answer).toHaveBeenCalledWith({ secret: 'open sesame' })
  })

  it('lets choose between the configuration there and the one here', async () => {
    const page = show(RunQuestionForm, {
      asked: { type: 'question', question: 'q', kind: 'config-changed', files: [] },
      answer,
    })
    page.get('button', 'Keep what is there').click()
    await flushPromises()
    expect(answer).toHaveBeenCalledWith({ choice: 'keep' })
  })

  it('shows by meaning what a push changes, and does not take a yes where it would be refused', async () => {
    const obstacles = [{ code: 'HUB_TARGET_UNFIT' as const, detail: 'Node 18 is too old', cure: 'Install Node 24.' }]
    const page = show(RunQuestionForm, {
      asked: { type: 'question', question: 'q', kind: 'confirm-push', plan: { ...plan, obstacles } },
      answer,
    })
    expect(document.body.textContent).toContain('Server time is new')
    expect(document.body.textContent).toContain('Node 18 is too old')
    expect((page.get('button', 'Push') as HTMLButtonElement).disabled).toBe(true)
    document.querySelector('form')?.requestSubmit()
    page.get('button', 'Cancel').click()
    await flushPromises()
    expect(answer.mock.calls).toEqual([[{ yes: false }]])
  })
})

describe('the form of a target', () => {
  function shown(first: TargetInput) {
    const target = ref(first)
    const page = show(
      defineComponent(
        () => () =>
          h(TargetForm, {
            modelValue: target.value,
            'onUpdate:modelValue': (next: TargetInput) => void (target.value = next),
          }),
      ),
    )
    return { page, target }
  }

  it('offers every mode of the contract', () => {
    const { page } = shown({ domain: 'hub.example.com' })
    const modes = targetSchema.shape.mode.unwrap().options
    expect(document.querySelectorAll('[role="radiogroup"][aria-label="Runs with"] input')).toHaveLength(modes.length)
    expect(page.find('alert', /./)).toBeNull()
  })

  it('unfolds what is wrong, and forgets own certificates when certbot is chosen', async () => {
    const tls = { certificate: '/etc/a.pem', key: '/etc/a.key' }
    const { page, target } = shown({ domain: 'hub.example.com', instances: 2, httpPort: 0, tls })
    expect(document.querySelector('details')?.open).toBe(true)
    expect(page.get('alert', /./).textContent).toContain('Several hubs need PostgreSQL')
    page.get('checkbox', 'PostgreSQL for configuration and history').click()
    await flushPromises()
    page.get('radio', 'Let’s Encrypt').click()
    await flushPromises()
    expect(target.value).toMatchObject({ services: ['database'], tls: {} })
  })
})

describe('a new target', () => {
  it('is asked for step by step, and is reached under its domain when nothing else is said', async () => {
    answers.set('/api/publish/targets', json([]))
    const page = show(NewTargetPage)
    await page.router.push('/publish/new?step=review')
    await flushPromises()
    // Not by the address either.
    expect(document.querySelector('[aria-current="step"]')?.textContent).toContain('Server')
    page.get('button', 'Next').click()
    await flushPromises()
    expect(document.body.textContent).toContain('A domain name such as hub.example.com')
    type(page.get('textbox', 'Domain'), 'mcp.example.org')
    await page.router.push('/publish/new?step=connection')
    await eventually(() => expect(page.find('textbox', 'Host')).not.toBeNull())
    expect((page.get('textbox', 'Host') as HTMLInputElement).placeholder).toBe('mcp.example.org')
    expect(
      completed({ name: '', target: { domain: 'mcp.example.org' }, connection: { host: '', user: 'deploy' } }),
    ).toMatchObject({ name: 'mcp.example.org', connection: { host: 'mcp.example.org', user: 'deploy' } })
    const cluster = { name: '', target: { domain: 'mcp.example.org', mode: 'kubernetes' } } as const
    // What no form of it asks for keeps nobody from saving it.
    expect(completed({ ...cluster, connection: { host: '', port: 0 } }).connection).toEqual({ host: 'mcp.example.org' })
    expect(sshAddress({ host: '2001:db8::1', port: 2222 })).toBe('root@[2001:db8::1]:2222')
  })
})

it('the command line names what is not as it is by default', () => {
  expect(publishCommand(targetSchema.parse({ domain: 'hub.example.com' }))).toBe(
    'mcp-hub publish --out bundle --domain hub.example.com',
  )
  const other = { domain: 'hub.example.com', mode: 'docker', installDir: '/srv/hub', httpsPort: 8443 } as const
  expect(publishCommand(other)).toBe(
    'mcp-hub publish --out bundle --domain hub.example.com --mode docker --install-dir /srv/hub --https-port 8443',
  )
})

describe('a preview', () => {
  const check = { artifact: 'a', tool: 'nginx', message: '', fault: null }
  const preview = { files: [], findings: [], secrets: [], totalBytes: 0 }

  it('is only called well when something really ran and nothing failed', () => {
    const tone = (...outcomes: ('passed' | 'failed' | 'not-checked')[]) =>
      previewSummary({ ...preview, checks: outcomes.map((outcome) => ({ ...check, outcome })) }).checks
    expect(tone('passed', 'not-checked')).toEqual({ count: 2, passed: 1, tone: 'ok' })
    expect(tone('not-checked')).toEqual({ count: 1, passed: 0, tone: 'warn' })
    expect(tone('passed', 'failed')).toEqual({ count: 2, passed: 1, tone: 'bad' })
  })

  it('colours a file by its kind and loses none of its text', () => {
    for (const [path, text] of [
      ['nginx/mcp-hub.conf', '# a\nserver {\n  listen 80;\n}\n'],
      ['ops/deploy.sh', 'set -e\n\necho "hi"\n'],
      ['docker/compose.yaml', 'services:\n  hub: # c\n    image: "x"\n'],
      ['unknown.thing', 'one\ntwo'],
    ] as const) {
      const lines = highlightLines(path, text)
      expect(lines.map((pieces) => pieces.map((piece) => piece.text).join('')).join('\n')).toBe(text)
      expect(lines.flat().some(({ look }) => look !== '')).toBe(path !== 'unknown.thing')
    }
  })
})
