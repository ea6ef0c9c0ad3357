import { emptyCatalog } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Call, CancelCall } from './call.ts'
import { McpError, Reply, isObject, rpc, toRpcError, type Params } from './json-rpc.ts'
import { hasSkills } from './late-skills.ts'
import { readMark } from './resource-owners.ts'
import type { Route, Target, Viewer } from './view.ts'

const MAIN_FILE = '/SKILL.md'
const MAX_PAGES = 100
const MAX_ROOTS = 10_000

/**
 * The skills of several servers (extension `io.modelcontextprotocol/skills`). Their URIs are never rewritten, because names
 * and digests hang on them, and a file is found by its place beside `SKILL.md`: of a URI that two serve the first configured
 * server's is listed. Who means the other's says so with the mark of resources (`#server=<prefix>`), which no list has.
 */
export interface Skills {
  /** Where a request about skills goes; null for a request about something else. */
  route: (method: string, params: Params | undefined, viewer: Viewer) => Route | null
  /** Where a file or folder of a skill is read; null when the URI is none as far as is known or can be found out. */
  reads: (params: Params | undefined) => Route | null
}

export function createSkills(
  members: () => readonly Upstream[],
  shows: (upstream: Upstream, uri: string) => boolean,
): Skills {
  /** The server of each skill that was told of, by the URI of its folder. */
  const roots = new Map<string, Upstream>()

  /** Skills whose server was told that a list has another one's. */
  const hidden = new Set<string>()

  const serving = (): Upstream[] => members().filter(hasSkills)

  function learn(uri: unknown, upstream: Upstream): void {
    if (typeof uri !== 'string' || !uri.endsWith(MAIN_FILE)) return
    if (roots.size >= MAX_ROOTS) roots.clear()
    roots.set(uri.slice(0, -MAIN_FILE.length), upstream)
  }

  /** The server of the innermost skill that a URI is the folder or a file of. */
  function ownerOf(uri: string): Upstream | null {
    let innermost = ''
    let found: Upstream | null = null
    for (const [root, owner] of roots) {
      const isIn = uri.startsWith(root) && (uri.length === root.length || uri[root.length] === '/')
      if (!isIn || root.length < innermost.length || !members().includes(owner)) continue
      innermost = root
      found = owner
    }
    return found
  }

  function tellHidden(upstream: Upstream, uri: string): void {
    const key = `${upstream.prefix} ${uri}`
    if (hidden.has(key) || hidden.size >= MAX_ROOTS) return
    hidden.add(key)
    const text = `Skill ${uri} is another server's too, whose it is where several are shown; this one is ${uri}#server=${upstream.prefix}`
    upstream.log.add('hub', 'warn', text)
  }

  /** The server that the mark of a URI names, which then is asked for the URI without it. */
  function marked(params: Params | undefined): Route | null {
    const mark = readMark(String(params?.['uri']))
    const upstream = serving().find(({ prefix }) => prefix === mark?.prefix)
    if (mark === null || upstream === undefined || !shows(upstream, mark.own)) return null
    return routeTo(upstream, { ...params, uri: mark.own })
  }

  /** Everything that the servers list; one that fails does not spoil it. */
  async function list(call: Call, asked: Asked): Promise<Params[]> {
    const listed = await Promise.all(
      serving().map(async (upstream) => {
        const skills: Params[] = []
        let cursor: unknown
        for (let page = 0; page < MAX_PAGES; page++) {
          const { cursor: _first, ...params } = call.params ?? {}
          const more = typeof cursor === 'string' ? { ...params, cursor } : params
          const result = await asked.ask(upstream, { ...call, method: 'skills/list', params: more })
          if (result === null || !Array.isArray(result['skills'])) break
          const found = result['skills'].filter(isObject)
          skills.push(...found.filter(({ uri }) => shows(upstream, String(uri))))
          cursor = result['nextCursor']
          if (typeof cursor !== 'string') break
        }
        return { upstream, skills }
      }),
    )
    const byUri = new Map<unknown, Params>()
    for (const { upstream, skills } of listed)
      for (const skill of skills) {
        if (byUri.has(skill['uri'])) {
          tellHidden(upstream, String(skill['uri']))
          continue
        }
        byUri.set(skill['uri'], skill)
        learn(skill['uri'], upstream)
      }
    return [...byUri.values()]
  }

  /** The first configured server that serves this skill, listed or not. */
  async function find(call: Call, uri: string, asked: Asked): Promise<Upstream | null> {
    const candidates = serving().filter((upstream) => shows(upstream, uri))
    const results = await Promise.all(candidates.map((upstream) => asked.ask(upstream, call)))
    const owner = candidates.find((_, position) => isObject(results[position]?.['skill'])) ?? null
    if (owner !== null) learn(uri, owner)
    return owner
  }

  function routeTo(upstream: Upstream, params: Params | undefined): Route {
    return { upstream, params, catalog: upstream.catalog }
  }

  /** A request whose server has first to be found. */
  function searched(params: Params | undefined, search: (call: Call, asked: Asked) => Promise<Upstream | null>): Route {
    let owner: Upstream | null = null
    const target: Target = {
      name: 'hub',
      get hello() {
        return owner?.hello ?? null
      },
      call: (call) =>
        answering(call, async (asked) => {
          owner = await search(call, asked)
          if (owner === null) throw new McpError(rpc.invalidParams, `No server offers ${String(call.params?.['uri'])}`)
          asked.pass(owner, call)
          return null
        }),
    }
    return { upstream: target, params, catalog: emptyCatalog }
  }

  return {
    route: (method, params, viewer) => {
      if (method === 'skills/list') {
        const target: Target = {
          name: 'hub',
          hello: null,
          call: (call) =>
            answering(call, async (asked) => {
              const skills = await list(call, asked)
              return viewer.era === 'legacy' ? { skills } : { skills, ttlMs: 0, cacheScope: 'private' }
            }),
        }
        return serving().length === 0 ? null : { upstream: target, params, catalog: emptyCatalog }
      }
      if (method !== 'skills/get') return null
      const uri = String(params?.['uri'])
      const [first, second] = serving()
      if (first === undefined) return null
      const explicit = marked(params)
      if (explicit !== null) return explicit
      return second === undefined ? routeTo(first, params) : searched(params, (call, asked) => find(call, uri, asked))
    },
    reads: (params) => {
      const uri = String(params?.['uri'])
      const owner = ownerOf(uri)
      if (owner !== null) return routeTo(owner, params)
      const [first, second] = serving()
      if (!uri.startsWith('skill://') || first === undefined) return null
      return second === undefined
        ? routeTo(first, params)
        : searched(params, (call, asked) => list(call, asked).then(() => ownerOf(uri)))
    },
  }
}

/** Asks servers on behalf of a client's call, for as long as that runs. */
interface Asked {
  /** The result, or null when the server fails. */
  ask: (upstream: Upstream, call: Call) => Promise<Params | null>
  /** The server's answer is the call's. */
  pass: (upstream: Upstream, call: Call) => void
}

/** Answers a call with what is made of several; null when another answers it. Returns how it is cancelled. */
function answering(call: Call, make: (asked: Asked) => Promise<Params | null>): CancelCall {
  const running = new Set<CancelCall>()
  let cancelled = false
  const asked: Asked = {
    ask: (upstream, { method, params }) =>
      new Promise((resolve) => {
        let cancel: CancelCall | null = null
        cancel = upstream.call({
          ...call,
          method,
          params: withoutToken(params),
          progressToken: undefined,
          notify: () => undefined,
          finish: (reply) => {
            if (cancel !== null) running.delete(cancel)
            const { result } = reply.message
            resolve(reply.isError || !isObject(result) ? null : result)
          },
        })
        running.add(cancel)
      }),
    pass: (upstream, passed) => {
      if (!cancelled) running.add(upstream.call(passed))
    },
  }
  make(asked).then(
    (result) => {
      if (result !== null && !cancelled) call.finish(Reply.result(result))
    },
    (error: unknown) => {
      if (!cancelled) call.finish(Reply.error(toRpcError(error)))
    },
  )
  return (why) => {
    cancelled = true
    for (const cancel of running) cancel(why)
  }
}

/** Params for one of several servers: how far each of them is tells the client nothing. */
function withoutToken(params: Params | undefined): Params | undefined {
  if (!isObject(params?.['_meta'])) return params
  const { progressToken: _token, ...meta } = params['_meta']
  return { ...params, _meta: meta }
}
