import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PushStatus } from '../../contract/index.ts'
import type { KeptText } from '../kept-text.ts'
import { withOld, type OpenPush } from './push-record.ts'

/**
 * Takes over what hubs of before kept in two files of their own: a push that is still to be taken back or kept, and those that
 * are decided. Also after a way back to such a hub: what hubs of now decided earlier stays, and only a push that they watch goes
 * before the old one.
 */
export async function adoptOldRecord(text: KeptText, dataDir: string): Promise<void> {
  const [openFile, decidedFile] = [join(dataDir, 'config-push.json'), join(dataDir, 'config-pushes.json')]
  const [open, decided] = [await readOld<OpenPush>(openFile), await readOld<PushStatus[]>(decidedFile)]
  if (open === null && decided === null) return
  await text.change((now) => Promise.resolve(withOld(now, open, decided ?? [])))
  for (const file of [openFile, decidedFile]) await rm(file, { force: true })
}

async function readOld<T>(file: string): Promise<T | null> {
  try {
    // Written by a hub, and by nobody else.
    return JSON.parse(await readFile(file, 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
