import type { Command } from '../lib/commands.ts'
import { score } from '../lib/score.ts'

const LIMIT = 40

/** Best match first; of equal ones what was used last. Without words everything, as it stands. */
export function rankCommands(text: string, commands: readonly Command[], recent: readonly string[]): Command[] {
  const bonus = (id: string): number => {
    const index = recent.indexOf(id)
    return index === -1 ? 0 : 0.5 / (index + 1)
  }
  const query = text.trim()
  return commands
    .map((command) => {
      const title = score(query, command.title)
      const both = command.hint === undefined ? 0 : score(query, `${command.title} ${command.hint}`) * 0.9
      const value = Math.max(title, both)
      return { command, value: value === 0 ? 0 : value + bonus(command.id) }
    })
    .filter(({ value }) => value > 0)
    .toSorted((a, b) => b.value - a.value)
    .slice(0, LIMIT)
    .map(({ command }) => command)
}
