// The client under test of the suite's client scenarios: `node scenario-client.ts URL`, where the suite appends the URL
// of its own server. With `HUB_URL` and `HUB_TOKEN` in the environment it makes that server one of the hub's, and speaks
// to the hub instead. `CLIENT_ERA` (legacy, modern) says which SDK does the speaking.
import { setTimeout as delay } from 'node:timers/promises'
import { exercise } from './scenario-steps.ts'
import { connectLegacy, connectModern } from './sdk-clients.ts'

const url = process.argv[2]!
const scenario = process.env.MCP_CONFORMANCE_SCENARIO!
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as Record<string, unknown>
const { HUB_URL: hub, HUB_TOKEN: token, CLIENT_ERA: era } = process.env

const name = `${scenario}-${process.pid}`
const peerUrl = hub === undefined ? url : await serveThroughHub(hub)
const peer = era === 'modern' ? await connectModern(peerUrl, token) : await connectLegacy(peerUrl, token)
try {
  await exercise(scenario, peer, context)
} finally {
  await peer.close()
  if (hub !== undefined) await api(hub, 'DELETE', `/api/servers/${name}`)
}

async function serveThroughHub(hubUrl: string): Promise<string> {
  await api(hubUrl, 'POST', '/api/servers', { name, config: { type: 'http', url } })
  const deadline = Date.now() + 15_000
  for (;;) {
    const { state, reason } = (await api(hubUrl, 'GET', `/api/servers/${name}`)) as { state: string; reason: unknown }
    if (state === 'running') return `${hubUrl}/mcp/${name}`
    if (state === 'failed' || Date.now() > deadline) throw new Error(`${name} is ${state}: ${JSON.stringify(reason)}`)
    await delay(20)
  }
}

async function api(hubUrl: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${hubUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token ?? ''}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return await response.json()
}
