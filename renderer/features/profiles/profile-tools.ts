import type { Profile } from '../../../hub/contract/index.ts'
import { barringRule, isSelected, setItems, type Offered } from './profile-draft.ts'

export interface ServerTool extends Offered {
  server: string
}

/** What showing or hiding a tool does in a profile: nothing where it is so already, or a rule of the profile decides. */
export type ToolChange = 'show' | 'hide' | 'same' | { rule: string }

export function toolChange(profile: Profile, tool: ServerTool, on: boolean): ToolChange {
  if (isSelected(profile, tool.server, 'tools', tool) === on) return 'same'
  if (!on) return 'hide'
  const rule = barringRule(profile, tool.server, 'tools', tool)
  return rule === null ? 'show' : { rule }
}

/** The profile in which all of them are shown, or hidden, but for those that a rule leaves out. */
export function withTools(profile: Profile, tools: readonly ServerTool[], on: boolean): Profile {
  const names = new Map<string, string[]>()
  for (const tool of tools)
    if (typeof toolChange(profile, tool, on) === 'string' && toolChange(profile, tool, on) !== 'same')
      names.set(tool.server, [...(names.get(tool.server) ?? []), tool.name])
  return [...names].reduce((next, [server, some]) => setItems(next, server, 'tools', some, on), profile)
}
