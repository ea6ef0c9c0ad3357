import { z } from 'zod'
import { hubSettingSchema, type HubSetting } from '../../../../hub/contract/index.ts'
import { hubText } from '../../../lib/hub-text.ts'
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { perform, request } from '../../../lib/client.ts'

export const hubSettingsKey = ['hub-settings']

export const hubSettingsApi = {
  list: (signal: AbortSignal) => request('GET /api/settings', z.array(hubSettingSchema), { signal }),
  save: (name: string, value: unknown, ifMatch?: string) =>
    request('PUT /api/settings/:name', hubSettingSchema, { params: { name }, body: { value }, ifMatch }),
  reset: (name: string, ifMatch?: string) => perform('DELETE /api/settings/:name', { params: { name }, ifMatch }),
}

/** What a setting does, in the language in use; the documentation marks names in it as code. */
export const helpOf = (setting: HubSetting): string => hubText(setting, 'help').replaceAll('`', '')

interface Bounds {
  min: number | null
  max: number | null
}
export const limitFields = ['maxRequests', 'windowMs'] as const
export type LimitField = (typeof limitFields)[number]

/** How a setting is edited. */
export type Control =
  | { kind: 'switch' }
  | { kind: 'choice'; choices: readonly string[] }
  | { kind: 'number'; min: number | null; max: number | null }
  | { kind: 'text' }
  /** So many requests in a time, or no limit; its bounds are of the numbers. */
  | { kind: 'limit'; bounds: Readonly<Record<LimitField, Bounds>> }
  /** A list of texts, one a line. */
  | { kind: 'lines' }
  /** Whatever else there is, as it stands in system.json. */
  | { kind: 'json' }

export function controlOf({ schema }: Pick<HubSetting, 'schema'>): Control {
  const { type, enum: choices, items } = schema
  if (type === 'boolean') return { kind: 'switch' }
  if (Array.isArray(choices)) return { kind: 'choice', choices: choices.map(String) }
  if (type === 'integer' || type === 'number')
    return { kind: 'number', min: limit(schema, 'minimum'), max: limit(schema, 'maximum') }
  if (type === 'string') return { kind: 'text' }
  const isList =
    type === 'array' && typeof items === 'object' && items !== null && 'type' in items && items.type === 'string'
  if (isList) return { kind: 'lines' }
  const properties = propertiesOf(schema)
  if (Object.keys(properties).toSorted().join() !== limitFields.join()) return { kind: 'json' }
  const boundsOf = (field: LimitField): Bounds => {
    const part = properties[field]
    return isObject(part) ? { min: limit(part, 'minimum'), max: limit(part, 'maximum') } : { min: null, max: null }
  }
  return { kind: 'limit', bounds: { maxRequests: boundsOf('maxRequests'), windowMs: boundsOf('windowMs') } }
}

/** What an object, or each of a list of them, may have, also where the value may be something else. */
export function propertiesOf({ properties, anyOf, items }: Readonly<Record<string, unknown>>): JsonObject {
  if (isObject(properties)) return properties
  if (isObject(items)) return propertiesOf(items)
  const branches = Array.isArray(anyOf) ? anyOf.filter(isObject) : []
  return Object.assign({}, ...branches.map(propertiesOf)) as JsonObject
}

/** Bounds that only say that a double holds no more are none. */
function limit(schema: Readonly<Record<string, unknown>>, side: 'minimum' | 'maximum'): number | null {
  const bound = schema[side]
  if (typeof bound === 'number') return Math.abs(bound) >= Number.MAX_SAFE_INTEGER ? null : bound
  return side === 'minimum' && schema['exclusiveMinimum'] === 0 ? 1 : null
}

/** What holds, as far as it may be shown: of where the hub was started, of system.json, the default. */
export function valueOf({ given, written, default: fallback }: HubSetting): unknown {
  return given ?? written ?? fallback
}

/** A value as it is typed. */
export function draftOf({ kind }: Control, value: unknown): string {
  if (value === null || value === undefined) return ''
  if (kind === 'lines' && Array.isArray(value)) return value.map(String).join('\n')
  if (kind === 'json') return JSON.stringify(value, null, 2)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** What was typed as a value; null when it is none. */
export function valueFrom({ kind }: Control, draft: string): { value: unknown } | null {
  const text = draft.trim()
  if (kind === 'switch') return { value: text === 'true' }
  if (kind === 'lines')
    return {
      value:
        text === ''
          ? []
          : text
              .split('\n')
              .map((line) => line.trim())
              .filter((line) => line !== ''),
    }
  if (text === '') return null
  if (kind === 'number') return Number.isFinite(Number(text)) ? { value: Number(text) } : null
  if (kind !== 'json' && kind !== 'limit') return { value: text }
  try {
    const value: unknown = JSON.parse(text)
    return value === null ? null : { value }
  } catch {
    return null
  }
}
