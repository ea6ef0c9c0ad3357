import { onScopeDispose } from 'vue'
import { runCommand, type Command } from './commands.ts'
import { focusNewest, focusTargets } from './focus-targets.ts'
import { chordOf, isEditable } from './keys.ts'

interface Options {
  readonly commands: () => readonly Command[]
  /** Single letters can be in the way of speech input and screen readers; they can be turned off. */
  readonly singleKeys: () => boolean
}

/** Longest pause between the keys of `g s`. */
const SEQUENCE_MS = 1_200

/** One listener for the page: chords always, single keys and sequences outside of fields and dialogs. */
export function useShortcuts({ commands, singleKeys }: Options): void {
  let pending: { key: string; at: number } | null = null

  function onKeydown(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return
    const chord = chordOf(event)
    if (chord === null) return
    const modified = /^(mod|alt)\+/.test(chord)
    if (!modified) {
      if (!singleKeys() || isEditable(event.target) || document.querySelector('[role="dialog"],[role="menu"]')) return
    }
    const sequence = pending !== null && event.timeStamp - pending.at < SEQUENCE_MS ? `${pending.key} ${chord}` : null
    pending = null
    const bound = commands().filter(({ keys }) => keys !== undefined)
    const command = bound.find(({ keys }) => keys === sequence) ?? bound.find(({ keys }) => keys === chord)
    if (command !== undefined) void runCommand(command)
    else if (!modified && bound.some(({ keys }) => keys?.startsWith(`${chord} `)))
      pending = { key: chord, at: event.timeStamp }
    else if (!isListKey(chord) || !focusNewest(focusTargets.list)) return
    event.preventDefault()
  }

  window.addEventListener('keydown', onKeydown)
  onScopeDispose(() => window.removeEventListener('keydown', onKeydown))
}

/** From nowhere in particular these lead into the list; a control that has the focus keeps its arrows. */
function isListKey(chord: string): boolean {
  if (chord === 'j' || chord === 'k') return true
  return (chord === 'arrowdown' || chord === 'arrowup') && document.activeElement === document.body
}
