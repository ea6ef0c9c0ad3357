import { existsSync, renameSync } from 'node:fs'

/** Puts an SQLite file aside, with its log, where `error` says that it is damaged; its new name, or null where it does not. */
export function putDamagedAside(file: string, error: unknown): string | null {
  if (!/malformed|not a database|corrupt/i.test(String(error))) return null
  const aside = `${file}.damaged-${Date.now()}`
  for (const suffix of ['', '-wal', '-shm']) if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix)
  return aside
}
