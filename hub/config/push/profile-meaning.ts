import type { Meaning, Profile, ProfileServer } from '../../contract/index.ts'
import { isDeepStrictEqual } from '../../deep-equal.ts'

/** What it means for the clients of a profile that it is another. */
export function profileMeaning(profile: string, was: Profile | undefined, is: Profile | undefined): Meaning[] {
  const say = (code: Meaning['code'], text: string, more: Record<string, string> = {}): Meaning => ({
    code,
    subject: { profile, ...more },
    text,
  })
  if (was === undefined) return [say('profile-added', `profile ${profile} is added`)]
  if (is === undefined) return [say('profile-removed', `profile ${profile} is removed, and its endpoint with it`)]
  const servers = new Set([...Object.keys(was.servers), ...Object.keys(is.servers)])
  const found = [...servers].flatMap((server): Meaning[] => {
    const [before, after] = [was, is].map((side) =>
      Object.hasOwn(side.servers, server) ? side.servers[server] : undefined,
    )
    if (before === undefined) return [say('profile-shows-server', `profile ${profile} shows ${server}`, { server })]
    if (after === undefined)
      return [say('profile-hides-server', `profile ${profile} does not name ${server} any more`, { server })]
    return toolChanges(before, after).map(({ code, tool, does }) =>
      say(code, `tool ${tool} of ${server} ${does} in profile ${profile}`, { server, tool }),
    )
  })
  return found.length > 0 ? found : [say('profile-changed', `profile ${profile} has other options`)]
}

interface ToolChange {
  code: 'tool-hidden' | 'tool-shown' | 'tool-changed'
  /** Its name, or the pattern. */
  tool: string
  does: string
}

function toolChanges({ tools: was = {} }: ProfileServer, { tools: is = {} }: ProfileServer): ToolChange[] {
  const added = (before: readonly string[] = [], after: readonly string[] = []): string[] =>
    after.filter((name) => !before.includes(name))
  const hidden = [
    ...added(was.exclude, is.exclude),
    // With the first name in `include` everything else is hidden, which is no matter of single names.
    ...(is.include === undefined ? [] : added(is.include, was.include)),
  ]
  const shown = [
    ...added(is.exclude, was.exclude),
    ...(was.include === undefined ? [] : added(was.include, is.include)),
  ]
  const overrides = new Set([...Object.keys(was.overrides ?? {}), ...Object.keys(is.overrides ?? {})])
  const changed = [...overrides].filter((tool) => !isDeepStrictEqual(was.overrides?.[tool], is.overrides?.[tool]))
  return [
    ...hidden.map((tool) => ({ code: 'tool-hidden' as const, tool, does: 'is hidden' })),
    ...shown.map((tool) => ({ code: 'tool-shown' as const, tool, does: 'is shown' })),
    ...changed.map((tool) => ({ code: 'tool-changed' as const, tool, does: 'is described otherwise' })),
  ]
}
