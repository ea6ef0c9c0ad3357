import type { z } from 'zod'

export interface Operation {
  readonly summary: string
  /** Body and query are checked before the handler runs. */
  readonly body?: z.ZodType
  readonly query?: z.ZodType
  /** What a success answers; nothing means 204, a media type what is no JSON. */
  readonly answer?:
    z.ZodType | 'text/event-stream' | 'application/gzip' | 'application/x-ndjson' | 'text/plain' | 'text/html'
  /** What each line holds for who accepts application/x-ndjson, where the page reads them. */
  readonly lines?: z.ZodType
  readonly status?: 201
}

/** Operations by method and path, as Express writes it. */
export type OperationTable = Readonly<Record<`${'GET' | 'POST' | 'PUT' | 'DELETE'} /api/${string}`, Operation>>
