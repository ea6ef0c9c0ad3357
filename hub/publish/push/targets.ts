import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { brokenFile } from '../../broken-file.ts'
import { writeFileAtomic } from '../../config/atomic-file.ts'
import { connectionSchema, targetNameSchema, type Connection } from '../../contract/push.ts'
import { targetSchema, type Target } from '../../contract/publish.ts'
import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'

/** Where a bundle goes, and how it gets there. It holds no password and no passphrase. */
export interface StoredTarget {
  target: Target
  connection: Connection
}

export interface Targets {
  list: () => Promise<[string, StoredTarget][]>
  get: (name: string) => Promise<StoredTarget>
  save: (name: string, stored: StoredTarget, rename?: string) => Promise<void>
  remove: (name: string) => Promise<void>
}

const fileSchema = z.strictObject({
  targets: z.record(targetNameSchema, z.strictObject({ target: targetSchema, connection: connectionSchema })),
})
type TargetsFile = z.infer<typeof fileSchema>

/** The saved targets of this installation. The file is read each time: the command line may have changed it. */
export function createTargets(folder: string): Targets {
  const file = join(folder, 'targets.json')
  let queue: Promise<unknown> = Promise.resolve()

  async function read(): Promise<TargetsFile> {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{"targets":{}}'
      throw error
    })
    try {
      return fileSchema.parse(JSON.parse(text))
    } catch (error) {
      throw new HubError('HUB_CONFIG_FILE_BROKEN', brokenFile(file, error), {
        cure: say`Correct the file, or move it away and save the targets again.`,
      })
    }
  }

  function change(edit: (targets: TargetsFile['targets']) => TargetsFile['targets']): Promise<void> {
    const work = queue.then(async () => {
      const { targets } = await read()
      await writeFileAtomic(file, `${JSON.stringify({ targets: edit(targets) }, null, 2)}\n`)
    })
    queue = work.catch(() => undefined)
    return work
  }

  return {
    list: async () => Object.entries((await read()).targets).sort(([a], [b]) => (a < b ? -1 : 1)),
    get: async (name) => {
      const { targets } = await read()
      return present(targets, name)
    },
    save: (name, stored, rename = name) =>
      change((targets) => {
        if (rename !== name) {
          present(targets, name)
          if (Object.hasOwn(targets, rename))
            throw new HubError('HUB_CONFLICT', say`There is a target named ${rename} already`)
        }
        return { ...without(targets, name), [rename]: stored }
      }),
    remove: (name) =>
      change((targets) => {
        present(targets, name)
        return without(targets, name)
      }),
  }
}

function present(targets: TargetsFile['targets'], name: string): StoredTarget {
  const found = Object.hasOwn(targets, name) ? targets[name] : undefined
  if (found === undefined)
    throw new HubError('HUB_TARGET_NOT_FOUND', say`There is no target named ${name}`, { cure: say`Save it first.` })
  return found
}

const without = (targets: TargetsFile['targets'], name: string): TargetsFile['targets'] =>
  Object.fromEntries(Object.entries(targets).filter(([other]) => other !== name))
