import {
  isRemote,
  serverPrefix,
  transportOf,
  type ServerConfig,
  type ServerStatus,
  type Usage,
} from '../contract/index.ts'
import { McpError, rpc } from '../gateway/json-rpc.ts'
import { unsaid } from '../say.ts'
import type { Catalog } from './catalog.ts'
import type { Instance } from './instance.ts'
import type { Machine } from './state-machine.ts'

/** What the API shows of a server. */
export function statusOf(server: {
  name: string
  config: ServerConfig
  machine: Machine
  catalog: Catalog
  usage: Usage | null
  instances: readonly Instance[]
  primary: Instance | null
  isUp: boolean
}): ServerStatus {
  const { name, config, machine, catalog, instances, primary } = server
  const hello = server.isUp && primary !== null ? primary.connection.hello : null
  const { tools, prompts, resources, resourceTemplates } = catalog.lists
  return {
    name,
    prefix: serverPrefix(name),
    state: machine.state,
    since: machine.since,
    reason: machine.reason,
    attempt: machine.attempt,
    nextTryAt: machine.nextTryAt,
    restarts: machine.restarts,
    transport: transportOf(config),
    target: describeTarget(config),
    pid: primary?.connection.pid ?? null,
    era: hello?.era ?? null,
    protocolVersion: hello?.version ?? null,
    serverInfo: hello === null ? null : infoOf(hello.serverInfo, name),
    instructions: hello?.instructions ?? null,
    counts: {
      tools: tools.length,
      prompts: prompts.length,
      resources: resources.length,
      resourceTemplates: resourceTemplates.length,
    },
    endpointPath: `/mcp/${encodeURIComponent(name)}`,
    startedAt: primary?.startedAt ?? null,
    connections: instances.length,
    openStreams: instances.reduce((sum, { connection }) => sum + connection.openStreams, 0),
    usage: server.usage,
  }
}

function infoOf(info: Record<string, unknown> | null, name: string): ServerStatus['serverInfo'] {
  if (info === null) return null
  return {
    name: typeof info['name'] === 'string' ? info['name'] : name,
    version: typeof info['version'] === 'string' ? info['version'] : '',
    ...(typeof info['title'] === 'string' ? { title: info['title'] } : {}),
  }
}

/** The answer to calls of a server that is down: what it is, why, and what to do. */
export function unavailableError(name: string, { state, reason, nextTryAt }: Machine): McpError {
  const cause = reason === null ? `it is ${state}` : `${reason.message}. ${reason.cure}`
  return new McpError(rpc.serverUnavailable, `Server ${name} is not available: ${cause}`, {
    server: name,
    state,
    ...(reason === null ? {} : { reason: unsaid(reason) }),
    ...(nextTryAt === null ? {} : { nextTryAt }),
  })
}

/** The command line or URL as a person checks it; credentials of a URL and values of options that look secret are left out. */
export function describeTarget(config: ServerConfig): string {
  if (isRemote(config)) {
    try {
      const url = new URL(config.url)
      url.username = ''
      url.password = ''
      for (const key of [...url.searchParams.keys()])
        if (/key|token|secret|password/i.test(key)) url.searchParams.set(key, '…')
      return url.href
    } catch {
      return config.url
    }
  }
  return [config.command, ...(config.args ?? [])]
    .map((part) => (/^[\w@%+=:,./${}-]+$/.test(part) ? part : `'${part.replaceAll("'", `'\\''`)}'`))
    .join(' ')
}
