import type { z } from 'zod'
import { parseExactly } from '../../hub/contract/exact-json.ts'
import type {
  AnswerOf,
  BodyOf,
  LinesOf,
  Operations,
  ParamsOf,
  QueryOf,
  RouteKey,
} from '../../hub/contract/operations/table.ts'
import { ApiError, problemOf } from './problem.ts'
import { shapeOf } from './shape.ts'

/** What a request holds beside its route: what the table of operations says, and nothing else. */
type Input<R extends RouteKey> = Params<R> & {
  readonly signal?: AbortSignal | undefined
  /** The ETag of what is changed, as it was read. */
  readonly ifMatch?: string | undefined
} & (Operations[R] extends { body: z.ZodType } ? { readonly body: BodyOf<R> } : { readonly body?: never }) &
  (Operations[R] extends { query: z.ZodType } ? { readonly query?: QueryOf<R> } : { readonly query?: never })

type Params<R extends RouteKey> = [ParamsOf<R>] extends [never]
  ? { readonly params?: never }
  : { readonly params: Readonly<Record<ParamsOf<R>, string | number>> }

/** May be left out where it need not hold anything. */
type Rest<R extends RouteKey> = object extends Input<R> ? [input?: Input<R>] : [input: Input<R>]

type JsonRoute = { [R in RouteKey]: [AnswerOf<R>] extends [never] ? never : R }[RouteKey]
type LinesRoute = { [R in RouteKey]: [LinesOf<R>] extends [never] ? never : R }[RouteKey]

/** The same for every route. */
interface Parts {
  readonly params?: Readonly<Record<string, string | number>> | undefined
  readonly query?: unknown
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
  readonly ifMatch?: string | undefined
}

/**
 * Asks the API. `answer` is the schema that the table of operations has for the route, handed over because the table itself
 * holds every schema there is. An answer of another shape is an error, not a half-empty screen.
 */
export async function request<R extends JsonRoute>(
  route: R,
  answer: AnswerOf<R>,
  ...[input]: Rest<R>
): Promise<z.output<AnswerOf<R>>> {
  const { response, label } = await exchange(route, input, 'application/json')
  return checked(parseJson(await arriving(response.text(), label), label), answer, label, response.status)
}

/** Has something done whose answer says no more. */
export async function perform<R extends RouteKey>(route: R, ...[input]: Rest<R>): Promise<void> {
  const { response, label } = await exchange(route, input, 'application/json')
  await arriving(response.text(), label)
}

/** An answer that comes line by line, each as soon as it is there. */
export async function requestLines<R extends LinesRoute>(
  route: R,
  line: LinesOf<R>,
  input: Input<R>,
  onValue: (value: z.output<LinesOf<R>>) => void,
): Promise<void> {
  const { response, label } = await exchange(route, input, 'application/x-ndjson')
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (reader === undefined) return
  const take = (text: string): void => {
    // An empty one says only that the hub is still at it.
    if (text !== '') onValue(checked(parseJson(text, label), line, label, response.status))
  }
  let rest = ''
  try {
    for (;;) {
      const chunk = await arriving(reader.read(), label)
      if (chunk.done) break
      const lines = (rest + chunk.value).split('\n')
      rest = lines.pop() ?? ''
      for (const text of lines) take(text)
    }
    take(rest)
  } finally {
    // Who answers is told when nobody listens any more; after the end it changes nothing.
    reader.cancel().catch(() => undefined)
  }
}

/** A file with the name that the hub gives it; `onReceived` hears how many bytes are here. */
export async function requestFile<R extends RouteKey>(
  route: R,
  input: Input<R>,
  onReceived: (bytes: number) => void,
): Promise<{ name: string | null; content: Blob }> {
  const { response, label } = await exchange(route, input, '*/*')
  const reader = response.body?.getReader()
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  for (;;) {
    const chunk = reader && (await arriving(reader.read(), label))
    if (chunk?.done !== false) break
    chunks.push(chunk.value)
    onReceived((bytes += chunk.value.length))
  }
  const name = /filename="?([^";]+)/.exec(response.headers.get('content-disposition') ?? '')?.[1]
  return { name: name ?? null, content: new Blob(chunks) }
}

/** Where a route is, for what the browser itself fetches. */
export const addressOf = <R extends RouteKey>(route: R, input?: Pick<Input<R>, 'params' | 'query'>): string =>
  address(route, input)

function address(route: RouteKey, { params = {}, query }: Parts = {}): string {
  const path = route.slice(route.indexOf(' ') + 1).replace(/:(\w+)/g, (_, name: string) => {
    return encodeURIComponent(params[name] ?? '')
  })
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {}) as [string, unknown][])
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) search.append(name, String(one))
  return search.size === 0 ? path : `${path}?${search.toString()}`
}

async function exchange(
  route: RouteKey,
  parts: Parts = {},
  accept: string,
): Promise<{ response: Response; label: string }> {
  const { body, signal, ifMatch } = parts
  const path = address(route, parts)
  const method = route.slice(0, route.indexOf(' '))
  const label = `${method} ${path}`
  const response = await renewing(path, label, {
    method,
    credentials: 'same-origin',
    headers: {
      accept,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
  if (!response.ok) throw await refusal(response, label)
  return { response, label }
}

/** Why an answer is none, as an error. */
export async function refusal(response: Response, label: string): Promise<ApiError> {
  const error = problemOf(response.status, await arriving(response.text(), label), label)
  if (error.code === 'HUB_PASSWORD_CHANGE_NEEDED') tellPasswordChange()
  return error
}

function checked<S extends z.ZodType>(value: unknown, schema: S, label: string, status: number): z.output<S> {
  if (shapeOf(schema)?.(value) === true) return value as z.output<S>
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`
  throw new ApiError({ kind: 'unexpected', status, request: label, message: where })
}

async function renewing(path: string, label: string, init: RequestInit): Promise<Response> {
  try {
    const response = await fetch(path, init)
    // An access token is good for minutes; what renews it is in a cookie that only /api/auth sees. A wrong password is 401
    // too, and must not be sent twice.
    const ended = response.status === 401 && response.headers.has('www-authenticate')
    if (!ended) return response
    if (await renewSession()) return await fetch(path, init)
    tellEnd()
    return response
  } catch (error) {
    throw unreachable(error, label)
  }
}

/** A part of an answer, which can break off as well as the whole can fail to come. */
async function arriving<T>(part: Promise<T>, label: string): Promise<T> {
  try {
    return await part
  } catch (error) {
    throw unreachable(error, label)
  }
}

function unreachable(error: unknown, label: string): unknown {
  if (error instanceof ApiError || (error instanceof DOMException && error.name === 'AbortError')) return error
  return new ApiError({
    kind: 'unreachable',
    request: label,
    message: error instanceof Error ? error.message : String(error),
  })
}

let tellEnd: () => void = () => undefined

/** Told when a request is refused because there is no session any more, whoever sent it. */
export function onSessionEnd(listener: () => void): void {
  tellEnd = listener
}

let tellPasswordChange: () => void = () => undefined

/** Told when a request is refused until the password is changed: an administrator set another, or it is too old by now. */
export function onPasswordChangeNeeded(listener: () => void): void {
  tellPasswordChange = listener
}

let renewal: Promise<boolean> | null = null

/**
 * Goes on with a session whose access token has ended; one exchange at a time, for all who ask. False where the hub says that
 * the session is over; a hub that does not say so either way is an `ApiError`, and the session may be as good as before.
 */
export function renewSession(): Promise<boolean> {
  renewal ??= renew().finally(() => (renewal = null))
  return renewal
}

async function renew(): Promise<boolean> {
  const route = 'POST /api/auth/refresh'
  try {
    const response = await fetch(addressOf(route), {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    if (response.ok || response.status === 401) return response.ok
    throw await refusal(response, route)
  } catch (error) {
    throw unreachable(error, route)
  }
}

function parseJson(text: string, label: string): unknown {
  try {
    return parseExactly(text)
  } catch {
    throw new ApiError({ kind: 'unexpected', request: label, message: text.slice(0, 200) })
  }
}
