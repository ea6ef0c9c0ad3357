import { readdirSync, rmSync } from 'node:fs'
import path from 'node:path'

/**
 * The folder for Node's compiled code of this version (module compile cache); what other versions left there is removed, for
 * Node never does.
 * @param parent holds nothing else
 */
export function compiledCodeOf(parent: string, version: string): string {
  try {
    for (const other of readdirSync(parent).filter((name) => name !== version))
      rmSync(path.join(parent, other), { recursive: true, force: true })
  } catch {
    // Not there yet, or not to be removed now: neither keeps a hub from starting.
  }
  return path.join(parent, version)
}
