import type { z } from 'zod'
import { accessOperations } from './access.ts'
import { historyOperations } from './history.ts'
import { hubOperations } from './hub.ts'
import { offersOperations } from './offers.ts'
import type { OperationTable } from './operation.ts'
import { profilesOperations } from './profiles.ts'
import { publishOperations } from './publish.ts'
import { secretsOperations } from './secrets.ts'
import { serversOperations } from './servers.ts'

/**
 * What each route is for, takes and answers. Express' routes, OpenAPI, docs/API_REFERENCE.md and the page's client
 * (`renderer/lib/client.ts`) are all made of it. The page imports only its type: the table holds every schema.
 */
export const operations = {
  ...accessOperations,
  ...hubOperations,
  ...serversOperations,
  ...offersOperations,
  ...profilesOperations,
  ...secretsOperations,
  ...historyOperations,
  ...publishOperations,
} as const satisfies OperationTable

export type Operations = typeof operations
export type RouteKey = keyof Operations

/** What a caller sends; `undefined` where the operation takes none. */
export type BodyOf<R extends RouteKey> = Operations[R] extends { body: infer S extends z.ZodType }
  ? z.input<S>
  : undefined
export type QueryOf<R extends RouteKey> = Operations[R] extends { query: infer S extends z.ZodType }
  ? z.input<S>
  : undefined
/** The schema of what a success answers, where that is JSON. */
export type AnswerOf<R extends RouteKey> = Operations[R] extends { answer: infer S extends z.ZodType } ? S : never
/** What a handler gives to answer: text where the operation names a media type, nothing where it answers 204. */
export type AnsweredBy<R extends RouteKey> = Operations[R] extends { answer: infer A }
  ? A extends z.ZodType
    ? z.input<A>
    : string
  : never
export type LinesOf<R extends RouteKey> = Operations[R] extends { lines: infer S extends z.ZodType } ? S : never

/** The names in a path: `name` and `tool` of `/api/servers/:name/tools/:tool/pin`. */
export type ParamsOf<R extends string> = R extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsOf<Rest>
  : R extends `${string}:${infer Name}`
    ? Name
    : never
