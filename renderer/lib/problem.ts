import { problemSchema, type Fault, type Problem, type Wordings } from '../../hub/contract/index.ts'
import { hubText } from './hub-text.ts'

/** Why a request failed, in a form that can be shown: what happened, what to do, and everything for a bug report. */
export class ApiError extends Error {
  readonly kind: 'problem' | 'unreachable' | 'unexpected'
  readonly status: number
  readonly code: string
  readonly cure: string | null
  readonly faults: readonly Fault[]
  readonly request: string
  readonly said: Wordings | undefined
  override name = 'ApiError'

  constructor(init: {
    kind: 'problem' | 'unreachable' | 'unexpected'
    message: string
    request: string
    status?: number
    code?: string
    cure?: string | undefined
    faults?: readonly Fault[] | undefined
    said?: Wordings | undefined
  }) {
    super(init.message)
    this.kind = init.kind
    this.status = init.status ?? 0
    this.code = init.code ?? (init.kind === 'unreachable' ? 'UNREACHABLE' : 'UNEXPECTED_ANSWER')
    this.cure = init.cure ?? null
    this.faults = init.faults ?? []
    this.request = init.request
    this.said = init.said
  }
}

export function problemOf(status: number, body: string, request: string): ApiError {
  const parsed = problemSchema.safeParse(jsonOrNull(body))
  if (parsed.success) return fromProblem(parsed.data, request)
  return new ApiError({ kind: 'unexpected', status, request, message: `HTTP ${status}${excerpt(body)}` })
}

/** What went wrong, as an answer or a line of one tells it. */
export function fromProblem(
  problem: Pick<Problem, 'code' | 'detail' | 'cure' | 'faults' | 'said'> & { status?: number },
  request: string,
): ApiError {
  const { status = 0, code, detail, cure, faults, said } = problem
  const words = said?.['detail'] === undefined ? said : { ...said, message: said['detail'] }
  return new ApiError({ kind: 'problem', status, code, request, message: detail, cure, faults, said: words })
}

/** A proxy's error page says more in its first words than in its markup. */
function excerpt(body: string): string {
  const text = body
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return text === '' ? '' : `: ${text.slice(0, 200)}`
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** What went wrong, in the language in use. */
export function errorText(error: unknown): string {
  if (error instanceof ApiError) return hubText(error, 'message')
  return error instanceof Error ? error.message : String(error)
}

/** Plain text of an error for the clipboard, in English as the hub's log has it. */
export function describeError(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return [
    error.request,
    error.status > 0 ? `${error.status} ${error.code}` : error.code,
    error.message,
    ...(error.cure === null ? [] : [error.cure]),
    ...error.faults.map(describeFault),
  ].join('\n')
}

export function describeFault({ file, path, line, column, message, cure }: Fault): string {
  const place = [file, line, column].filter((part) => part !== null).join(':')
  return `${[place, path].filter(Boolean).join(' ')} ${message} ${cure}`.trim()
}
