import { TASKS_EXTENSION, type Call } from '../gateway/call.ts'
import { META, McpError, fieldName, isObject, rpc, type Params } from '../gateway/json-rpc.ts'
import type { Connection } from './connection.ts'
import type { Instance } from './instance.ts'

/** In the result of 2025-11-25 the task is a field of its own, and else the whole result. */
const TASK = fieldName('task')
const TASK_ID = fieldName('taskId')
const OVER: ReadonlySet<unknown> = new Set(['completed', 'failed', 'cancelled'])
/** Of more the oldest are forgotten; they keep the server awake no longer. */
const MAX_TASKS = 1_000

/** What a client says that hears of tasks, where the hub asks for one. */
export const HEARS_OF_TASKS = { extensions: { [TASKS_EXTENSION]: {} } }

export interface OpenTasksOptions {
  connection: Pick<Connection, 'hello' | 'request'>
  now: () => number
  /** One more is over; its client may still want to know what came of it. */
  onOver: () => void
}

/**
 * The tasks that a server has begun on one connection and, as far as is known, still works on: its process may not be ended
 * as idle meanwhile, though no call is in flight. A task is over when its status says so, or its time to live has passed.
 */
export interface OpenTasks {
  readonly size: number
  /** Whether it was begun here, also when it is over: on a pipe no other process of the server has it. */
  knows: (taskId: unknown) => boolean
  /** The principal who began it here, or asked for it last; null where only the server told of it. */
  whose: (taskId: unknown) => string | null
  /** The call, with a look at an answer that begins a task or tells of one. */
  watched: (call: Call) => Call
  /** The server says how a task stands: `notifications/tasks`, or `notifications/tasks/status` of 2025-11-25. */
  told: (task: unknown) => void
  /** Asks the server for them: a client need not ask before it wants the result. */
  check: () => Promise<void>
}

export function createOpenTasks({ connection, now, onOver }: OpenTasksOptions): OpenTasks {
  /** When each is over at the latest. */
  const open = new Map<string, number>()
  const known = new Map<unknown, string | null>()

  function end(taskId: string): void {
    if (open.delete(taskId)) onOver()
  }

  function told(task: unknown, principal: string | null = null): void {
    if (!isObject(task) || typeof task['taskId'] !== 'string' || typeof task['status'] !== 'string') return
    const { taskId, status } = task
    known.set(taskId, principal ?? known.get(taskId) ?? null)
    if (known.size > MAX_TASKS) for (const oldest of known.keys()) if (known.delete(oldest)) break
    if (OVER.has(status)) {
      end(taskId)
      return
    }
    // 2026-07-28 and 2025-11-25 call it differently; null stands for no end in either.
    const ttl = task['ttlMs'] ?? task['ttl']
    open.set(taskId, Math.min(open.get(taskId) ?? Infinity, typeof ttl === 'number' ? now() + ttl : Infinity))
    if (open.size > MAX_TASKS) for (const oldest of open.keys()) if (open.delete(oldest)) break
  }

  async function ask(taskId: string): Promise<void> {
    const isModern = connection.hello.era === 'modern'
    try {
      const meta = isModern ? { _meta: { [META.capabilities]: HEARS_OF_TASKS } } : {}
      const task = await connection.request('tasks/get', { taskId, ...meta })
      // It may have ended while the server was asked.
      if (open.has(taskId)) told(task)
    } catch (error) {
      // A server that answers, but not with the task, does not have it.
      if (!(error instanceof McpError && error.code === rpc.timeout)) end(taskId)
    }
  }

  return {
    get size() {
      return open.size
    },
    knows: (taskId) => known.has(taskId),
    watched: (call) => {
      if (!mayTellOfTask(call)) return call
      return {
        ...call,
        finish: (reply) => {
          if (!reply.isError && (reply.mayHave(TASK_ID) || reply.mayHave(TASK))) {
            const { result } = reply.message
            told(isObject(result) && isObject(result['task']) ? result['task'] : result, call.principal)
          }
          call.finish(reply)
        },
      }
    },
    whose: (taskId) => known.get(taskId) ?? null,
    told: (task) => told(task),
    check: async () => {
      for (const [taskId, until] of open) if (until <= now()) end(taskId)
      await Promise.all([...open.keys()].map(ask))
    },
  }
}

/** Whether the answer to a call may be about a task; looked at for each call. */
function mayTellOfTask({ capabilities, params, method }: Call): boolean {
  const extensions = capabilities['extensions'] as Params | undefined
  return extensions?.[TASKS_EXTENSION] !== undefined || params?.['task'] !== undefined || method.startsWith('tasks/')
}

/** Each task is heard of on the connection that has it; on the plain one, where none is known to. */
export function listenForTasks(
  tasks: ReadonlySet<string>,
  plain: Pick<Instance, 'setTasks'>,
  others: readonly Pick<Instance, 'setTasks' | 'openTasks'>[],
): void {
  const left = new Set(tasks)
  for (const { openTasks, setTasks } of others) {
    const held = [...left].filter(openTasks.knows)
    for (const taskId of held) left.delete(taskId)
    setTasks(new Set(held))
  }
  plain.setTasks(left)
}
