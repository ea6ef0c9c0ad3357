import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ConfigTexts } from '../../hub/contract/index.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'
import { createStage, yes, type Stage } from '../fixtures/push-target/stage.ts'
import { writePrograms } from '../fixtures/push-target/target.ts'
import { makeKey, startSshd, type Sshd } from '../fixtures/sshd.ts'

// A machine that does much else takes its time for each process of the SSH server.
vi.setConfig({ testTimeout: 120_000 })

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let sshd: Sshd
let key: string
const at = (...parts: string[]): string => path.join(folder.path, ...parts)
/** In `.env` on the target: nothing may ever read it. */
const CANARY = 'Cnry9EnvOfTheTarget7Zq4Wm'

beforeAll(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(at('dist'))
  key = makeKey(folder.path, 'user_key')
  const bin = await writePrograms(folder.path)
  sshd = await startSshd(folder.path, {
    keys: [key],
    env: { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`, CANARY_ENV: CANARY },
  })
})
afterAll(async () => {
  await sshd.close()
  await folder.dispose()
})

let count = 0
let stage: Stage
beforeEach(async () => {
  stage = await createStage(at(String(++count)), { sshd, key, distDir: at('dist') })
})

async function installed(): Promise<string> {
  const { result } = await stage.run('push')
  expect(result).toMatchObject({ outcome: 'done', problem: null })
  return result.inUse ?? ''
}

describe('a push', () => {
  it('installs on an empty server once its key and the plan are confirmed, then changes it, and knows both afterwards', async () => {
    const first = await stage.run('push')
    expect(first.result).toMatchObject({ outcome: 'done', problem: null, plan: { inUse: null, obstacles: [] } })
    expect(first.questions.map(({ kind }) => kind)).toEqual(['host-key', 'confirm-push'])
    expect(first.steps).toEqual([
      ...['connect ok', 'check ok', 'inspect ok', 'compare ok', 'confirm ok', 'lock ok', 'upload ok', 'unpack ok'],
      ...['preflight ok', 'config ok', 'secrets ok', 'switch ok', 'start skipped', 'health ok'],
    ])
    const release = await stage.inUse()
    expect(first.result.inUse).toBe(release)
    expect(first.events.filter(({ type }) => type === 'progress').at(-1)).toMatchObject({
      done: first.result.plan?.archiveBytes,
      total: first.result.plan?.archiveBytes,
    })

    stage.servers = { ...stage.servers, time: { command: 'uvx', args: ['mcp-server-time'] } }
    stage.profiles = { work: { servers: { files: { tools: { exclude: ['delete_file'] } } } } }
    const second = await stage.run('push', { target: { instances: 2, services: ['database'] } })
    expect(second.result).toMatchObject({ outcome: 'done', plan: { inUse: release, configChanged: [] } })
    expect(second.questions.map(({ kind }) => kind)).toEqual(['confirm-push'])
    const { comparison } = second.result.plan ?? {}
    expect(comparison?.meanings.map(({ message }) => message)).toEqual([
      '1 instances → 2',
      'services: [] → ["database"]',
      'time is added: runs uvx mcp-server-time',
      'profile work is added',
    ])
    expect(comparison?.files.find(({ path: name }) => name === 'config/servers.json')).toMatchObject({
      kind: 'changed',
      group: 'config',
      diff: expect.stringContaining('+    "time": {') as unknown,
    })
    expect(await readFile(path.join(stage.root, 'config', 'servers.json'), 'utf8')).toContain('mcp-server-time')
    // Nothing of the work is left behind.
    expect(await readdir(path.join(stage.root, 'incoming'))).toEqual([])

    const records = await stage.service.history.list('shop')
    expect(records.map(({ operation, outcome, before }) => [operation, outcome, before])).toEqual([
      ['push', 'done', release],
      ['push', 'done', null],
    ])
    const detail = await stage.service.history.get('shop', records[0]?.id ?? '')
    expect(detail.steps.at(-1)).toMatchObject({ step: 'health', state: 'ok' })
    expect(detail.files.map(({ path: name }) => name)).toContain('config/profiles.json')
    expect(detail.files.filter(({ path: name }) => /^(?:hub|web)\//.test(name))).toEqual([])
    expect(detail.manifest).toMatchObject({ release: second.result.inUse })

    // By hand, and to one that is no longer there.
    const back = await stage.run('rollback')
    expect(back.result).toMatchObject({ outcome: 'done', inUse: release })
    expect(back.questions).toMatchObject([{ kind: 'confirm-rollback', from: second.result.inUse, to: release }])
    expect(await stage.inUse()).toBe(release)
    const gone = await stage.run('rollback', { release: '0.9.0-01234567' })
    expect(gone.result).toMatchObject({
      outcome: 'failed',
      inUse: release,
      problem: { code: 'HUB_TARGET_UNFIT', detail: expect.stringContaining('cannot be made again') as unknown },
    })
  })

  it('puts the old release back when the new one does not become healthy, and keeps what the scripts said', async () => {
    const release = await installed()
    stage.servers = {}
    await stage.told.say('sick')
    const { result, steps } = await stage.run('push')
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      inUse: release,
      problem: { code: 'HUB_DEPLOY_FAILED', detail: expect.stringContaining('did not become healthy') as unknown },
    })
    expect(steps.slice(-2)).toEqual(['health failed', 'rollback ok'])
    expect(await stage.inUse()).toBe(release)
    const [record] = await stage.service.history.list('shop')
    expect(record?.outcome).toBe('rolled-back')
    expect((await stage.service.history.get('shop', record?.id ?? '')).log).toContain('hub-3000: cannot listen')
  })

  it('does not say that it was rolled back where what was put back does not run either', async () => {
    const release = await installed()
    stage.servers = {}
    for (const name of ['sick', 'sick-before']) await stage.told.say(name)
    const { result } = await stage.run('push')
    expect(result).toMatchObject({
      outcome: 'failed',
      inUse: release,
      problem: {
        code: 'HUB_DEPLOY_FAILED',
        detail: expect.stringContaining('did not become healthy') as unknown,
        cure: expect.stringContaining('not healthy either') as unknown,
      },
    })
  })

  it('asks what becomes of a configuration that somebody changed there, and does nothing where nobody can answer', async () => {
    const release = await installed()
    const before = JSON.parse(await stage.config('servers.json').read()) as { mcpServers: object }
    const theirs = JSON.stringify({
      mcpServers: { ...before.mcpServers, theirs: { command: 'uvx', args: ['their-server'] } },
    })
    await stage.config('servers.json').write(theirs)

    const asked = await stage.run('push', {
      answer: (question) => Promise.resolve(question.kind === 'config-changed' ? { yes: false } : { yes: true }),
    })
    expect(asked.questions).toMatchObject([
      {
        kind: 'config-changed',
        files: [{ path: 'config/servers.json', diff: expect.stringContaining('+    "theirs"') as unknown }],
      },
    ])
    expect(asked.result).toMatchObject({ outcome: 'cancelled', inUse: release })
    expect(await stage.config('servers.json').read()).toBe(theirs)

    // The choice of before is not asked for again.
    const kept = await stage.run('push', { config: 'keep' })
    expect(kept.result.outcome).toBe('done')
    expect(await stage.config('servers.json').read()).toBe(theirs)
    const replaced = await stage.run('push', { config: 'replace' })
    expect(replaced.result.outcome).toBe('done')
    expect(JSON.parse(await stage.config('servers.json').read())).toEqual(before)
  })

  it('changes nothing on a server that lacks something, whether the plan or the script finds it', async () => {
    const docker = await stage.run('push', { target: { mode: 'docker' } })
    expect(docker.result).toMatchObject({
      outcome: 'failed',
      inUse: null,
      problem: { code: 'HUB_TARGET_UNFIT', detail: expect.stringContaining('has docker 20.10.24') as unknown },
    })
    expect(docker.questions.map(({ kind }) => kind)).toEqual(['host-key'])
    expect(await readdir(stage.root)).toEqual([])

    await stage.told.say('lacks', 'certbot')
    const script = await stage.run('push')
    expect(script.result).toMatchObject({
      outcome: 'failed',
      inUse: null,
      problem: { code: 'HUB_TARGET_UNFIT', detail: expect.stringContaining('certbot is missing') as unknown },
    })
  })

  it.each([
    ['before the script has switched', 'preflight'],
    ['after it, while it waits for health', 'health'],
  ])('that is cancelled %s leaves the old release in use', async (_when, step) => {
    const release = await installed()
    stage.servers = {}
    await stage.told.say(`wait-at-${step}`)
    const controller = new AbortController()
    const { result } = await stage.run('push', {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'step' && event.step === step && event.state === 'start') controller.abort()
      },
    })
    expect(result).toMatchObject({ outcome: 'cancelled', inUse: release, problem: null })
    expect(await stage.inUse()).toBe(release)
    // The next one is not held up by it.
    expect(await readdir(path.join(stage.root, 'incoming'))).toEqual([])
  })

  it('is one at a time, whoever pushes', async () => {
    await stage.told.say('wait-at-health')
    const elsewhere = await createStage(at(`${count}-elsewhere`), { sshd, key, distDir: at('dist') })
    let other: ReturnType<Stage['run']> | null = null
    const { result } = await stage.run('push', {
      onEvent: (event) => {
        if (event.type !== 'step' || event.step !== 'health' || other !== null) return
        other = elsewhere
          .run('push', { target: { installDir: stage.root } })
          .finally(() => stage.told.unsay('wait-at-health'))
      },
    })
    expect(result.outcome).toBe('done')
    expect((await (other as unknown as ReturnType<Stage['run']>)).result).toMatchObject({
      outcome: 'failed',
      problem: { code: 'HUB_TARGET_BUSY', detail: expect.stringContaining('tester, since') as unknown },
    })
  })

  it('takes over from one that died, and not from one that lives', async () => {
    const lock = path.join(stage.root, 'incoming', '.push')
    await mkdir(lock, { recursive: true })
    await writeFile(path.join(lock, 'owner'), 'another-run\nsomebody, since this morning\n')
    const lives = await stage.run('push')
    expect(lives.result).toMatchObject({
      outcome: 'failed',
      problem: { code: 'HUB_TARGET_BUSY', detail: expect.stringContaining('somebody, since this morning') as unknown },
    })
    const twoMinutesAgo = new Date(Date.now() - 120_000)
    await utimes(lock, twoMinutesAgo, twoMinutesAgo)
    expect((await stage.run('push')).result.outcome).toBe('done')
    expect(await readdir(path.join(stage.root, 'incoming'))).toEqual([])
  })

  it('shows, tells and keeps no secret of either side', async () => {
    stage.servers = { github: { command: 'npx', env: { GITHUB_TOKEN: 'ghp_Cnry9Inline7Zq4WmAAAAAAAAAAAAAAAAAAAA' } } }
    const first = await stage.run('push')
    expect(first.result.outcome).toBe('done')
    expect(await readFile(path.join(stage.root, '.env'), 'utf8')).toContain(CANARY)
    // Somebody wrote one into the configuration of the server by hand.
    const theirs = 'ghp_Cnry9Theirs7Zq4WmAAAAAAAAAAAAAAAAAAAA'
    await stage
      .config('servers.json')
      .write(JSON.stringify({ mcpServers: { github: { command: 'npx', env: { GITHUB_TOKEN: theirs } } } }))
    const second = await stage.run('push', { config: 'replace' })
    expect(second.result.outcome).toBe('done')
    const kept = await Promise.all(
      (await readdir(at(String(count), 'here'), { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => readFile(path.join(entry.parentPath, entry.name), 'utf8')),
    )
    expect(kept.length).toBeGreaterThan(2)
    const everything = JSON.stringify([first, second, kept])
    for (const secret of [CANARY, 'Cnry9Inline', 'Cnry9Theirs']) expect(everything).not.toContain(secret)
    expect(everything).toContain('${secret:GITHUB_TOKEN}')
  })
})

describe('what is looked at', () => {
  it('a plan asks for nothing but the key of the host, and changes nothing', async () => {
    const { result, questions } = await stage.run('plan')
    expect(result).toMatchObject({ outcome: 'done', record: null, plan: { releases: [], uploadedBytes: 0 } })
    expect(result.plan?.requirements).toContainEqual({ name: 'pm2', found: '7.0.4', needed: '5', ok: true, cure: null })
    expect(result.plan?.comparison.there).toBeNull()
    expect(questions.map(({ kind }) => kind)).toEqual(['host-key'])
    expect(await readdir(stage.root)).toEqual([])
  })

  it('a verification tells what works, what was changed, and that there is no TLS', async () => {
    await installed()
    await stage.config('system.json').write('{}')
    const { result } = await stage.run('verify', { target: { httpsPort: sshd.port } })
    expect(result.verifications?.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      ...['release passed', 'version passed', 'requirements passed', 'configuration warning', 'smoke passed'],
      'certificate failed',
    ])
    await stage.told.say('sick')
    const sick = await stage.run('verify')
    expect(await readdir(path.join(stage.root, 'incoming'))).toEqual([])
    expect(sick.result.verifications?.find(({ name }) => name === 'smoke')).toMatchObject({
      outcome: 'failed',
      message: 'GET /health answers 502.',
    })
  })

  it('a pull brings what was changed there, and leaves comments and secrets here as they are', async () => {
    stage.servers = {
      github: {
        command: 'npx',
        args: ['-y', 'server-github'],
        env: { GITHUB_TOKEN: 'ghp_Cnry9Inline7Zq4WmAAAAAAAAAAAAAAAAAAAA' },
      },
      old: { command: 'uvx', args: ['old'] },
    }
    await installed()
    const there = JSON.parse(await stage.config('servers.json').read()) as { mcpServers: Record<string, object> }
    delete there.mcpServers['old']
    there.mcpServers['github'] = { ...there.mcpServers['github'], args: ['-y', 'server-github@2'] }
    there.mcpServers['fresh'] = { command: 'uvx', args: ['fresh'] }
    await stage.config('servers.json').write(JSON.stringify(there))
    const system = JSON.parse(await stage.config('system.json').read()) as { server: object }
    await stage.config('system.json').write(
      JSON.stringify({
        ...system,
        server: { ...system.server, publicUrl: 'https://elsewhere.example' },
        limits: { maxSessions: 7 },
      }),
    )

    const local: ConfigTexts = {
      servers: `{ "mcpServers": { // ours\n${JSON.stringify(stage.servers).slice(1, -1)} } }`,
      system: '{}',
      profiles: '{"profiles":{}}',
    }
    let saved: ConfigTexts | null = null
    const { result, questions } = await stage.run('pull', {
      local: {
        texts: () => local,
        save: (texts) => {
          saved = texts
          return Promise.resolve()
        },
      },
    })
    expect(result.outcome).toBe('done')
    expect(questions.at(-1)?.kind).toBe('confirm-pull')
    expect(result.pulled?.meanings.map(({ message }) => message)).toEqual([
      'github runs npx -y server-github@2 instead of npx -y server-github',
      'old is removed',
      'fresh is added: runs uvx fresh',
      'limits.maxSessions: its default → 7',
    ])
    const { servers, system: settings } = saved as unknown as ConfigTexts
    expect(servers).toContain('// ours')
    expect(servers).toContain('ghp_Cnry9Inline')
    expect(JSON.parse(settings)).toEqual({ limits: { maxSessions: 7 } })
    expect(JSON.stringify([result, questions])).not.toContain('Cnry9Inline')
  })

  it('what is no release of this program there is told as a change of everything, not as a fault', async () => {
    const release = await installed()
    await writeFile(path.join(stage.root, 'releases', release, 'manifest.json'), '{')
    const { result } = await stage.run('plan', { answer: yes })
    expect(result).toMatchObject({ outcome: 'done', plan: { inUse: release, comparison: { there: null } } })
  })
})
