import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test as base, expect } from '@playwright/test'
import { parseAllDocuments, stringify } from 'yaml'
import { z } from 'zod'
import { buildImages, podman, podmanIn } from './images.ts'
import { startIngress } from './ingress.ts'
import { releaseOf } from './installed.ts'
import { createNetwork, type Network } from './network.ts'
import { DOMAIN, publish, type Published } from './published.ts'
import { callsAToolInBothEras, fetchAt, receivesAnEvent, refusesStrangers, signsIn, type Place } from './uses.ts'

/**
 * The deployments of `k8s/`, run by `podman kube play`. What a cluster would bring besides is played here: its DNS, its ingress
 * (TLS ends there), and the secret that a person makes from `.env`. Nothing else of the manifests is changed.
 */
const INGRESS = '127.231.0.1'
const NETWORK = 'mcp-hub-kube'

const object = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) })
const deployment = object.extend({
  spec: z.looseObject({
    replicas: z.number().optional(),
    template: z.looseObject({ metadata: z.looseObject({}), spec: z.looseObject({}) }),
  }),
})

async function manifest({ bundle, folder }: Published, dns: string): Promise<string> {
  const read = async (name: string): Promise<z.infer<typeof object>[]> =>
    parseAllDocuments(await readFile(path.join(bundle, 'k8s', name), 'utf8'), { version: '1.1' }).map((one) =>
      object.parse(one.toJS()),
    )
  const supporting = [...(await read('config.yaml')), ...(await read('storage.yaml'))]
  const deployments = [...(await read('hub.yaml')), ...(await read('web.yaml'))].map((one) => {
    const parsed = deployment.parse(one)
    const spec = {
      ...parsed.spec.template.spec,
      dnsConfig: { nameservers: [dns], searches: ['mcp-hub.svc.cluster.local'] },
    }
    // podman removes an init container once it has ended, and sometimes tries it too early; this has it stay. It reads what is
    // said of the deployment, and not of its pod.
    const metadata = { ...parsed.metadata, annotations: { 'io.podman.annotations.init.container.type': 'always' } }
    // One pod of each: podman has one machine.
    const template = { ...parsed.spec.template, spec }
    return { ...parsed, metadata, spec: { ...parsed.spec, replicas: 1, template } }
  })
  const text = [...supporting, ...deployments]
    .map((one) => stringify(one, { version: '1.1', lineWidth: 0 }))
    .join('---\n')
  const file = path.join(folder, 'kube.yaml')
  // Built here, and not to be fetched from anywhere.
  await writeFile(file, text.replace(/image: mcp-hub-/g, 'image: localhost/mcp-hub-'))
  return file
}

/** podman 4.3 hands a secret's base64 to the pod as it stands; one that it has got by hand it hands over as written. */
async function makeSecret({ folder, environmentFile }: Published): Promise<void> {
  const file = path.join(folder, 'secret.yaml')
  const data = { hub_env: await readFile(environmentFile, 'utf8') }
  await writeFile(file, stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'mcp-hub-env' }, data }))
  await podman('secret', 'create', 'mcp-hub-env', file)
}

async function removeAll(network: Network): Promise<void> {
  await podmanIn(network, 'pod', 'rm', '--force', '--all')
  for (const name of ['mcp-hub-state', 'mcp-hub-backups', 'mcp-hub-config', 'mcp-hub-site', 'mcp-hub-env'])
    await podman('volume', 'rm', '--force', name)
  await podman('secret', 'rm', 'mcp-hub-env').catch(() => undefined)
  await podmanIn(network, 'network', 'rm', '--force', NETWORK)
}

const test = base.extend<object, { place: Place }>({
  place: [
    async ({}, use) => {
      const published = await publish('--mode', 'kubernetes')
      await buildImages(published.bundle, await releaseOf(published))
      const network = await createNetwork()
      let ingress: Awaited<ReturnType<typeof startIngress>> | null = null
      try {
        await network.answerNames(network.address, network.address)
        await makeSecret(published)
        await podmanIn(network, 'network', 'create', '--disable-dns', NETWORK)
        await podmanIn(network, 'kube', 'play', '--network', NETWORK, await manifest(published, network.address))
        ingress = await startIngress({ address: INGRESS, port: 443 }, { host: network.address, port: 8080 }, published)
        const place: Place = {
          origin: `https://${DOMAIN}`,
          token: published.environment['MCP_HUB_TOKEN'] ?? '',
          password: published.environment['MCP_HUB_ADMIN_PASSWORD'] ?? '',
          fetch: await fetchAt(INGRESS, published.certificate),
        }
        await expect
          .poll(() => place.fetch(`${place.origin}/health`).then(({ status }) => status, String), { timeout: 60_000 })
          .toBe(200)
        await use(place)
      } finally {
        ingress?.close()
        await removeAll(network)
        await network.dispose()
        await published.dispose()
      }
    },
    { scope: 'worker', timeout: 600_000 },
  ],
  launchOptions: [
    async ({ launchOptions }, use) => {
      const rules = `--host-resolver-rules=MAP ${DOMAIN} ${INGRESS}`
      await use({ ...launchOptions, args: [...(launchOptions.args ?? []), rules] })
    },
    { scope: 'worker' },
  ],
})
test.describe.configure({ mode: 'serial' })

test('the pod of the hub has no right that it does not need', async ({ place }) => {
  expect(place.token.length).toBeGreaterThan(32)
  const look = `
    const fs = require('node:fs')
    const status = fs.readFileSync('/proc/1/status', 'utf8')
    const number = (name) => new RegExp(name + ':\\\\s*(\\\\S+)').exec(status)?.[1]
    let root = 'written'
    try { fs.writeFileSync('/x', '') } catch (error) { root = error.code }
    console.log(JSON.stringify({ user: number('Uid'), capabilities: number('CapEff'), noNewRights: number('NoNewPrivs'), seccomp: number('Seccomp'),
      root, environment: fs.readFileSync('/proc/1/environ', 'utf8') }))`
  const seen = JSON.parse(await podman('exec', 'mcp-hub-pod-0-hub', 'node', '-e', look)) as Record<string, unknown>
  expect(seen).toMatchObject({
    user: '1000',
    capabilities: '0000000000000000',
    noNewRights: '1',
    seccomp: '2',
    root: 'EROFS',
  })
  expect(String(seen['environment'])).not.toContain(place.token)
})

test('nobody gets in without the token', ({ place }) => refusesStrangers(place))
test('a person signs in', ({ place, page }) => signsIn(place, page))
test('clients of both eras call a tool', ({ place }) => callsAToolInBothEras(place))
test('an event arrives', ({ place }) => receivesAnEvent(place))

test('the client is who the ingress says it is', async ({ place }) => {
  const access = await podman('logs', 'mcp-hub-web-pod-0-web')
  expect(access).toContain('"client":"127.')
  expect(place.origin).toBe(`https://${DOMAIN}`)
})
