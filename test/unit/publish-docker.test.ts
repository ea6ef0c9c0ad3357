import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { targetSchema, type TargetInput } from '../../hub/contract/publish.ts'
import { createBundle, type Bundle } from '../../hub/publish/bundle.ts'
import { checkDockerfile } from '../../hub/publish/checks/dockerfile.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'
import { writeTools } from '../fixtures/tools.ts'

const run = promisify(execFile)
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(folder.path)
})
afterAll(() => folder.dispose())

const service = z.object({
  networks: z.array(z.string()).optional(),
  ports: z.array(z.string()).optional(),
  profiles: z.array(z.string()).optional(),
  secrets: z.array(z.union([z.string(), z.object({ source: z.string(), target: z.string() })])).optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  mem_limit: z.string().optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string(), required: z.boolean().optional() })).optional(),
})
const file = z.object({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().optional() })),
  volumes: z.record(z.string(), z.object({})).default({}),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
})

function bundleFor(target: Partial<TargetInput> = {}, command = 'uvx'): Promise<Bundle> {
  return createBundle({
    servers: { one: { command, args: ['x'] } },
    system: {},
    target: targetSchema.parse({ domain: 'hub.example.com', mode: 'docker', ...target }),
    distDir: folder.path,
    version: '1.2.3',
  })
}

function textOf({ files }: Bundle, wanted: string): string {
  return files.find(({ path }) => path === wanted)?.text ?? ''
}

async function composeOf(target: Partial<TargetInput> = {}): Promise<z.infer<typeof file>> {
  return file.parse(parse(textOf(await bundleFor(target), 'docker/compose.yaml'), { merge: true }))
}

const many = { instances: 2, services: ['database', 'redis'] } satisfies Partial<TargetInput>

describe('the compose file', () => {
  it('publishes nothing but the web server, and confines every service', async () => {
    const { services, networks } = await composeOf(many)
    expect(networks['internal']).toEqual({ internal: true })
    for (const [name, { ports, ...one }] of Object.entries(services)) {
      if (name === 'required') continue
      expect(ports, name).toEqual(name === 'web' ? ['80:8080', '443:8443'] : undefined)
      expect(one, name).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
      expect(one.mem_limit, name).toMatch(/^\d+[mg]$/)
      expect(one.networks, name).toContain('internal')
    }
  })

  it('lets a hub see the archives that are made beside it, so that nobody is told that there is none', async () => {
    const bundle = await bundleFor()
    const { backup } = z
      .object({ backup: z.object({ folder: z.string() }) })
      .parse(JSON.parse(textOf(bundle, 'config/system.json')))
    expect(textOf(bundle, 'docker/compose.yaml')).toContain(`source: /opt/mcp-hub/backups, target: ${backup.folder},`)
  })

  it('runs PostgreSQL and Redis only where their profile is chosen, out of reach and with secrets of their own', async () => {
    const { services, volumes, secrets } = await composeOf(many)
    for (const store of ['database', 'redis']) {
      expect(services[store]).toMatchObject({
        profiles: [store],
        networks: ['internal'],
        secrets: [`${store}_password`],
      })
      expect(services['hub-1']?.depends_on?.[store]).toEqual({ condition: 'service_healthy', required: false })
      expect(Object.keys(volumes)).toContain(store)
      expect(secrets[`${store}_password`]?.file).toBe(`/opt/mcp-hub/secrets/${store}_password`)
    }
  })

  it('mounts a file that has the address of a store at the same place inside, and nothing where there is none', async () => {
    const { services, secrets } = await composeOf(many)
    expect(services['hub-1']?.secrets).toEqual([
      'hub_env',
      { source: 'database_url', target: '${DATABASE_URL_FILE:-/run/secrets/no_database_url}' },
      { source: 'redis_url', target: '${REDIS_URL_FILE:-/run/secrets/no_redis_url}' },
    ])
    expect(secrets['database_url']?.file).toBe('${DATABASE_URL_FILE:-/dev/null}')
    expect((await composeOf()).services['hub']?.secrets).toEqual(['hub_env'])
  })

  it('has no service for what the target does not ask for', async () => {
    expect(Object.keys((await composeOf()).services)).toEqual(['hub', 'web', 'required'])
    expect(Object.keys((await composeOf({ services: ['redis', 'traces'] })).services)).toEqual([
      'hub',
      'web',
      'redis',
      'required',
    ])
  })

  it('tells in the README how to have them run beside the hubs', async () => {
    const { files } = await bundleFor(many)
    for (const name of ['README.md', 'README.zh-CN.md']) {
      const text = files.find(({ path }) => path === name)?.text ?? ''
      expect(text).toContain('echo COMPOSE_PROFILES=database,redis >> /opt/mcp-hub/.env')
      expect(text).toContain('@database:5432/mcp_hub')
    }
    const readme = textOf(await bundleFor({ ...many, installDir: folder.path }), 'README.md')
    const [block = ''] = /^install -d -m 0700 .*?(?=\n```)/ms.exec(readme) ?? []
    const at = (name: string): string => path.join(folder.path, name)
    const bin = await writeTools(at('bin'), { sed: `echo "$*" >>'${at('asked')}'; exec /usr/bin/sed "$@"` })
    await writeFile(at('.env'), 'DATABASE_URL=\nREDIS_URL=\nMCP_HUB_TOKEN=x\n')
    const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
    for (const _time of ['the first', 'and again']) await run('bash', ['-euc', block], { env })
    const password = (await readFile(at('secrets/database_password'), 'utf8')).trim()
    expect(await readFile(at('.env'), 'utf8')).toMatch(
      new RegExp(
        `^DATABASE_URL=postgres://mcp_hub:${password}@database:5432/mcp_hub\\nREDIS_URL=.*\\nMCP_HUB_TOKEN=x\\nCOMPOSE_PROFILES=database,redis\\n$`,
      ),
    )
    // The arguments of a program are seen by everybody on the machine.
    const asked = await readFile(at('asked'), 'utf8')
    expect(asked).toContain(at('.env'))
    expect(asked).not.toContain(password)
    const plain = (await bundleFor()).files.find(({ path }) => path === 'README.md')?.text
    expect(plain).not.toContain('COMPOSE_PROFILES')
  })
})

it('images are fetched by content where the target says so for their very version', async () => {
  const digest = `sha256:${'5f'.repeat(32)}`
  const services = ['database', 'redis'] as const
  const plain = await bundleFor({ mode: 'docker', services: [...services] })
  const readme = textOf(plain, 'README.md')
  const images = /for image in (.*); do/.exec(readme)?.[1]?.split(' ') ?? []
  expect(images.map((image) => image.split(':')[0])).toEqual([...['node', 'nginx', 'python', 'postgres', 'redis']])
  const imageDigests = [...images.map((image) => `${image}@${digest}`), `node:1.2.3@${digest}`]
  const pinned = await bundleFor({ mode: 'docker', services: [...services], imageDigests })
  const written = textOf(pinned, 'docker/Dockerfile') + textOf(pinned, 'docker/compose.yaml')
  for (const image of images) {
    expect(written).toContain(`${image}@${digest}`)
    expect(written.split(image)).toHaveLength(written.split(`${image}@${digest}`).length)
  }
  expect(written).not.toContain('node:1.2.3')
  expect(await checkDockerfile(pinned)).toMatchObject({ outcome: 'passed' })
  for (const wrong of [
    'node:24',
    `node@${digest}`,
    `node:24@sha256:12`,
    `node:24@${digest}\nRUN x`,
    'node:24 @sha256:',
  ])
    expect(targetSchema.safeParse({ domain: 'x.org', imageDigests: [wrong] }).success, wrong).toBe(false)
})

it('is looked at by commands that need no value that only the scripts give', async () => {
  const bundle = await bundleFor()
  for (const name of ['README.md', 'README.zh-CN.md']) {
    const commands = textOf(bundle, name).match(/^docker compose .*/gm) ?? []
    expect(commands).toHaveLength(3)
    expect(commands.filter((command) => / (?:ps|logs)\b/.test(command))).toEqual([
      'docker compose -p mcp-hub ps',
      'docker compose -p mcp-hub logs --tail 100 hub',
    ])
  }
})

describe('the check of the Dockerfile', () => {
  it.each(['uvx', 'python3', 'node'])('accepts the one for a server that runs with %s', async (command) => {
    expect(await checkDockerfile(await bundleFor({}, command))).toMatchObject({ outcome: 'passed' })
  })

  it('names the line of a fault', async () => {
    const bundle = await bundleFor()
    const dockerfile = bundle.files.find(({ path }) => path === 'docker/Dockerfile')
    if (typeof dockerfile?.text !== 'string') throw new Error('no Dockerfile')
    dockerfile.text = dockerfile.text.replace('--interval=10s', '--intervall=10s')
    const line = dockerfile.text.split('\n').findIndex((text) => text.includes('--intervall')) + 1
    expect(await checkDockerfile(bundle)).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('intervall') as string,
      fault: { line },
    })
  })
})
