import { parseSize } from '../config/setting-checks.ts'
import { fixedDefault } from '../config/settings.ts'
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

/** `logging` as it is in force, in the terms of who writes. */
export function logSettings(logging: SystemFile['logging'] = {}): LogSettings {
  return {
    level: logging.level ?? fixedDefault('logging.level'),
    file: logging.file ?? null,
    maxBytes: parseSize(logging.maxSize ?? '') ?? parseSize(fixedDefault('logging.maxSize')) ?? Infinity,
    maxFiles: logging.maxFiles ?? fixedDefault('logging.maxFiles'),
    rotation: logging.rotation ?? fixedDefault('logging.rotation'),
  }
}
