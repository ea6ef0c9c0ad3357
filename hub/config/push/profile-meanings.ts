import { isDeepStrictEqual } from 'node:util'
import type { Meaning, Profile, ProfileServer } from '../../contract/index.ts'

/** What it means for the clients of a profile that it is another. */
export function profileMeanings(profile: string, was: Profile | undefined, is: Profile | undefined): Meaning[] {
  const say = (code: Meaning['code'], message: string, more: Partial<Meaning> = {}): Meaning => ({
    ...{ code, subject: profile, field: null, item: null, before: null, after: null },
    ...more,
    message,
  })
  if (was === undefined) return [say('profile-added', `profile ${profile} is added`)]
  if (is === undefined) return [say('profile-removed', `profile ${profile} is removed, and its endpoint with it`)]
  const servers = new Set([...Object.keys(was.servers), ...Object.keys(is.servers)])
  const found = [...servers].flatMap((server): Meaning[] => {
    const [before, after] = [was, is].map((side) =>
      Object.hasOwn(side.servers, server) ? side.servers[server] : undefined,
    )
    const field = `servers.${server}`
    if (before === undefined) return [say('profile-changed', `profile ${profile} shows ${server}`, { field })]
    if (after === undefined)
      return [say('profile-changed', `profile ${profile} does not name ${server} any more`, { field })]
    return toolChanges(before, after).map(({ code, part, tool, does }) =>
      say(code, `tool ${tool} of ${server} ${does} in profile ${profile}`, {
        field: `${field}.tools.${part}`,
        item: `${server}/${tool}`,
      }),
    )
  })
  return found.length > 0 ? found : [say('profile-changed', `profile ${profile} has other options`)]
}

interface ToolChange {
  code: 'item-hidden' | 'item-shown' | 'profile-changed'
  part: 'include' | 'exclude' | 'overrides'
  /** Its name, or the pattern. */
  tool: string
  does: string
}

function toolChanges({ tools: was = {} }: ProfileServer, { tools: is = {} }: ProfileServer): ToolChange[] {
  const added = (before: readonly string[] = [], after: readonly string[] = []): string[] =>
    after.filter((name) => !before.includes(name))
  const hides = (part: ToolChange['part']) => (tool: string) =>
    ({ code: 'item-hidden', part, tool, does: 'is hidden' }) as const
  const shows = (part: ToolChange['part']) => (tool: string) =>
    ({ code: 'item-shown', part, tool, does: 'is shown' }) as const
  // With the first name in `include` everything else is hidden, with the last one shown: no matter of single names.
  const narrowed = was.include !== undefined && is.include !== undefined
  const overrides = new Set([...Object.keys(was.overrides ?? {}), ...Object.keys(is.overrides ?? {})])
  return [
    ...added(was.exclude, is.exclude).map(hides('exclude')),
    ...(narrowed ? added(is.include, was.include).map(hides('include')) : []),
    ...added(is.exclude, was.exclude).map(shows('exclude')),
    ...(narrowed ? added(was.include, is.include).map(shows('include')) : []),
    ...[...overrides]
      .filter((tool) => !isDeepStrictEqual(was.overrides?.[tool], is.overrides?.[tool]))
      .map((tool) => ({ code: 'profile-changed', part: 'overrides', tool, does: 'is described otherwise' }) as const),
  ]
}
