import { isDeepStrictEqual } from 'node:util'
import { leavesOf } from '../../config/changes.ts'
import { differencesBetween } from '../../config/push/differences.ts'
import type { PortableConfig } from '../../config/push/portable.ts'
import type { Meaning } from '../../contract/meanings.ts'
import type { Target } from '../../contract/publish.ts'

/** What is compared: the configuration of hubs, and how they are set up. */
export interface Setup {
  config: PortableConfig
  /** Null where no manifest tells. */
  target: Target | null
  version: string | null
}

/** By meaning: what people would say is another afterwards. */
export function compareMeanings(before: Setup, after: Setup): Meaning[] {
  return [
    ...versionChange(before.version, after.version),
    ...targetChanges(before.target, after.target),
    ...differencesBetween(before.config, after.config).flatMap(({ meanings }) => meanings),
  ]
}

const none = { field: null, item: null }

function versionChange(before: string | null, after: string | null): Meaning[] {
  if (before === after || before === null || after === null) return []
  return [
    { ...none, code: 'version-changed', subject: 'MCP Hub', before, after, message: `MCP Hub ${before} → ${after}` },
  ]
}

function targetChanges(before: Target | null, after: Target | null): Meaning[] {
  if (before === null || after === null) return []
  const [was, is] = [leavesOf({ ...before }), leavesOf({ ...after })]
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((subject): Meaning[] => {
    if (isDeepStrictEqual(was[subject], is[subject])) return []
    const [from, to] = [textOf(was[subject]), textOf(is[subject])]
    const message =
      subject === 'instances'
        ? `${from ?? '0'} instances → ${to ?? '0'}`
        : `${subject}: ${from ?? 'not set'} → ${to ?? 'not set'}`
    return [{ ...none, code: 'target-changed', subject, before: from, after: to, message }]
  })
}

const textOf = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))
