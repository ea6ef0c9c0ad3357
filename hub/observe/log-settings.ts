import type { SystemFile } from '../contract/index.ts'
import type { LogLevel } from './log.ts'

export interface LogSettings {
  level: LogLevel
  /** Null for stdout. */
  file: string | null
  /** A file is put aside when it is larger. */
  maxBytes: number
  /** Files kept, the current one among them. */
  maxFiles: number
  /** Who puts a full file aside: the hub, or somebody else, such as logrotate. Never both. */
  rotation: 'hub' | 'external'
}

export const logLevels = ['error', 'warn', 'info', 'debug'] as const satisfies LogLevel[]
export const logRotations = ['hub', 'external'] as const

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_048_576, g: 1_073_741_824 }

/** Bytes of `10m`, `512k`, `1g` or `1048576`; null when it is no size. */
export function parseSize(text: string): number | null {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmg]?)b?$/i.exec(text.trim()) ?? []
  if (number === undefined) return null
  const bytes = Math.round(Number(number) * (UNITS[unit.toLowerCase()] ?? 1))
  return bytes > 0 ? bytes : null
}

/** What the environment says; what it leaves out, `logging` of system.json says. */
export interface LogEnvironment {
  LOG_LEVEL?: string | undefined
  LOG_FILE?: string | undefined
  LOG_MAX_SIZE?: string | undefined
  LOG_MAX_FILES?: string | undefined
  LOG_ROTATION?: string | undefined
}

/** Both were checked before: what is not understood here falls back to the default. */
export function logSettings(env: LogEnvironment, logging: SystemFile['logging'] = {}): LogSettings {
  const files = Number(env.LOG_MAX_FILES ?? logging.maxFiles)
  return {
    level: logLevels.find((level) => level === (env.LOG_LEVEL ?? logging.level)) ?? 'info',
    file: env.LOG_FILE ?? logging.file ?? null,
    maxBytes: parseSize(env.LOG_MAX_SIZE ?? logging.maxSize ?? '') ?? 10 * 1_048_576,
    maxFiles: Number.isSafeInteger(files) && files > 0 ? files : 10,
    rotation: logRotations.find((owner) => owner === (env.LOG_ROTATION ?? logging.rotation)) ?? 'hub',
  }
}
