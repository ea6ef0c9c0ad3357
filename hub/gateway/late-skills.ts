import type { Upstream } from '../upstream/upstream.ts'
import { isObject } from './json-rpc.ts'
import type { Skills } from './skills.ts'

const SKILLS_EXTENSION = 'io.modelcontextprotocol/skills'

/** Whether a server has skills, as far as it said. */
export function hasSkills({ hello }: Upstream): boolean {
  const extensions = hello?.capabilities['extensions']
  return isObject(extensions) && isObject(extensions[SKILLS_EXTENSION])
}

/** The skills of several servers, whose code is loaded where one of them has any; null where none has. */
export function createLateSkills(
  members: () => readonly Upstream[],
  shows: (upstream: Upstream, uri: string) => boolean,
): () => Promise<Skills> | null {
  let loading: Promise<Skills> | null = null
  return () => {
    if (!members().some(hasSkills)) return null
    return (loading ??= import('./skills.ts').then(({ createSkills }) => createSkills(members, shows)))
  }
}
