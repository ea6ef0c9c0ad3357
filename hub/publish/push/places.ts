import type { Target } from '../../contract/publish.ts'
import { targetPaths } from '../context.ts'

/** Where a push finds and puts what. */
export interface Places {
  root: string
  current: string
  config: string
  releases: string
  incoming: string
  /** The archive while it is uploaded. */
  part: string
  /** Taken by a push, while it works there. */
  lock: string
  /** Of the script that a run started: each run has one of its own. */
  job: string
}

/** `sha256` of the archive names the upload: another content is another file. */
export function placesOf(target: Target, run: string, archive?: { release: string; sha256: string }): Places {
  const { root, current, config } = targetPaths(target)
  const incoming = `${root}/incoming`
  return {
    root,
    current,
    config,
    releases: `${root}/releases`,
    incoming,
    part: `${incoming}/${archive?.release ?? 'none'}-${archive?.sha256.slice(0, 12) ?? ''}.tar.gz.part`,
    lock: `${incoming}/.push`,
    job: `${incoming}/.job-${run}`,
  }
}
