import { isObject, fieldName, McpError, Reply, rpc, type Params } from './json-rpc.ts'
import { TASKS_EXTENSION, type ClientCapabilities } from './call.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { TaskOwners } from './task-owners.ts'
import type { Route, Target, View, Viewer } from './view.ts'

const TASK_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel'])
/** Those of 2025-11-25 too. */
const NAMES_TASK: ReadonlySet<string> = new Set([...TASK_METHODS, 'tasks/result'])
const TASK_ID = fieldName('taskId')
const SEPARATOR = '__'
/** Of so many tasks the owners are not looked up one by one. */
const MANY = 100

/** A task of a server, with its id as the server knows it. */
export interface TaskPlace {
  upstream: Upstream
  taskId: string
}

/**
 * The tasks that servers began for clients (extension `io.modelcontextprotocol/tasks`). A task belongs to the principal whose
 * call began it; on an endpoint of several servers its id carries the server's prefix, as a tool's name does.
 */
export interface Tasks {
  /** Looks up whose the tasks of a request are, before it is answered; null when that is known, or it has none. */
  recall: (view: View, method: string, params: Params | undefined) => Promise<unknown> | null
  /** The same for a task that a server tells of. */
  recallOf: (server: string, taskId: unknown) => Promise<unknown> | null
  /** Where a request about a task goes; null for a request about something else. Throws McpError. */
  route: (view: View, method: string, params: Params, viewer: Viewer) => Route | null
  /** The answer of a server as its client may know it: a task that it began or tells of is noted, and named. */
  answered: (view: View, target: Target, method: string, reply: Reply, principal: string) => Reply
  /** Whether it is known that a task of a server is this principal's. */
  owns: (server: string, taskId: unknown, principal: string) => boolean
  /** Refuses what is about somebody else's task of 2025-11-25, or asks a server that has none of these. Throws McpError. */
  checkLegacy: (view: View, target: Target, method: string, params: Params | undefined, principal: string) => void
  /** The answer of a server of 2025-11-25, which lists the tasks of all its clients. */
  answeredLegacy: (target: Target, method: string, params: Params | undefined, reply: Reply, principal: string) => Reply
  /** The place of a task that this principal may hear of, or null. */
  find: (view: View, id: string, principal: string) => TaskPlace | null
}

export function createTasks(owners: TaskOwners): Tasks {
  /** Some servers number their tasks, so that ids can be guessed: what nobody is known to own is unknown to all. */
  const isOf = (server: string, taskId: string, principal: string): boolean => owners.of(server, taskId) === principal

  function find(view: View, id: string, principal: string): TaskPlace | null {
    const place = placeOf(view, id)
    if (place === null || place.upstream.hello?.era === 'legacy') return null
    return isOf(place.upstream.name, place.taskId, principal) ? place : null
  }

  function recallEach(view: View, ids: readonly unknown[]): Promise<unknown> | null {
    if (ids.length > MANY) return owners.recallAll()
    const places = ids.flatMap((id) => (typeof id === 'string' ? (placeOf(view, id) ?? []) : []))
    const recalled = places.flatMap(({ upstream, taskId }) => owners.recall(upstream.name, taskId) ?? [])
    return recalled.length === 0 ? null : Promise.all(recalled)
  }

  return {
    find,
    recall: (view, method, params) => {
      if (NAMES_TASK.has(method)) return recallEach(view, [params?.['taskId']])
      if (method === 'tasks/list') return owners.recallAll()
      const wanted = method === 'subscriptions/listen' ? params?.['notifications'] : undefined
      return isObject(wanted) && Array.isArray(wanted['taskIds']) ? recallEach(view, wanted['taskIds']) : null
    },
    recallOf: (server, taskId) => owners.recall(server, String(taskId)),
    owns: (server, taskId, principal) => isOf(server, String(taskId), principal),
    route: (view, method, params, { principal, capabilities }) => {
      if (!TASK_METHODS.has(method)) return null
      const [only] = view.upstreams
      // The tasks of 2025-11-25 have another form.
      if (!view.aggregates && only?.hello?.era === 'legacy')
        throw new McpError(rpc.methodNotFound, `Method not found: ${method}`)
      if (!declaresTasks(capabilities)) throw missingTasks
      const place = typeof params['taskId'] === 'string' ? find(view, params['taskId'], principal) : null
      if (place === null) throw new McpError(rpc.invalidParams, `Unknown task: ${String(params['taskId'])}`)
      const { upstream, taskId } = place
      return { upstream, params: { ...params, taskId }, catalog: upstream.catalog }
    },
    answered: (view, target, method, reply, principal) => {
      if (reply.isError || target.hello?.era !== 'modern' || !reply.mayHave(TASK_ID)) return reply
      const { result } = reply.message
      if (!isObject(result) || typeof result['taskId'] !== 'string') return reply
      if (method !== 'tasks/get' && result['resultType'] !== 'task') return reply
      owners.note(target.name, result['taskId'], principal)
      const upstream = view.upstreams.find(({ name }) => name === target.name)
      if (!view.aggregates || upstream === undefined) return reply
      return Reply.result({ ...result, taskId: exposedTaskId(view, upstream, result['taskId']) })
    },
    checkLegacy: (view, { name, hello }, method, params, principal) => {
      if (!method.startsWith('tasks/')) return
      if (hello?.era === 'modern') throw new McpError(rpc.methodNotFound, `Method not found: ${method}`)
      const id = params?.['taskId']
      if (id === undefined) return
      if (typeof id !== 'string') throw new McpError(rpc.invalidParams, 'The taskId of a request is a string')
      if (!isOf(name, id, principal) && !begunBy(view, name, id, principal))
        throw new McpError(rpc.invalidParams, `Unknown task: ${id}`)
    },
    answeredLegacy: ({ name }, method, params, reply, principal) => {
      if (reply.isError || (method !== 'tasks/list' && params?.['task'] === undefined)) return reply
      const { result } = reply.message
      if (!isObject(result)) return reply
      const { task, tasks } = result
      if (isObject(task) && typeof task['taskId'] === 'string') owners.note(name, task['taskId'], principal)
      if (method !== 'tasks/list' || !Array.isArray(tasks)) return reply
      const own = tasks.filter((item) => isObject(item) && isOf(name, String(item['taskId']), principal))
      return Reply.result({ ...result, tasks: own })
    },
  }
}

/** Whether this principal began a task of that id on some connection: another, on another connection, may have got the id since. */
function begunBy(view: View, server: string, taskId: string, principal: string): boolean {
  const upstream = view.upstreams.find(({ name }) => name === server)
  return upstream?.instances.some(({ openTasks }) => openTasks.whose(taskId) === principal) ?? false
}

/** Whether a client can be told of tasks. */
export function declaresTasks(capabilities: ClientCapabilities): boolean {
  const { extensions } = capabilities
  return isObject(extensions) && isObject(extensions[TASKS_EXTENSION])
}

export const missingTasks = new McpError(rpc.missingCapability, 'The client does not support tasks', {
  requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } },
})

/** The id of a task as clients of the view know it. */
export function exposedTaskId(view: View, upstream: Upstream, taskId: string): string {
  return view.aggregates ? `${upstream.prefix}${SEPARATOR}${taskId}` : taskId
}

function placeOf(view: View, id: string): TaskPlace | null {
  if (!view.aggregates) {
    const [upstream] = view.upstreams
    return upstream === undefined ? null : { upstream, taskId: id }
  }
  // A prefix never has two underscores in a row.
  const end = id.indexOf(SEPARATOR)
  const upstream = end === -1 ? undefined : view.upstreams.find(({ prefix }) => prefix === id.slice(0, end))
  return upstream === undefined ? null : { upstream, taskId: id.slice(end + SEPARATOR.length) }
}
