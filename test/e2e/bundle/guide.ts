import { readFile } from 'node:fs/promises'
import path from 'node:path'

const docs = path.resolve(import.meta.dirname, '../../../docs')

/** A block of commands of the deployment guide, and what the comment above it says of running it. */
export interface GuideBlock {
  /**
   * Where it is run: on the computer that publishes, on the target, or on one whose hubs PM2 runs; in `npm run
   * test:bundle:long` with an `engine` of Docker, for a `cluster`, and on a `machine` with systemd, a firewall and a certificate
   * authority; null when tests do not.
   */
  place: 'computer' | 'target' | 'pm2' | 'engine' | 'cluster' | 'machine' | null
  /** Why tests do not run it. */
  reason: string | null
  commands: string
  line: number
}

/**
 * Every block of commands of a guide, in its order.
 * @throws {Error} naming the line of a block that says neither where it is run nor why it is not.
 */
export async function readGuide(name: string): Promise<GuideBlock[]> {
  const lines = (await readFile(path.join(docs, name), 'utf8')).split('\n')
  const blocks: GuideBlock[] = []
  for (const [index, line] of lines.entries()) {
    if (line !== '```sh') continue
    const above = lines.slice(0, index).findLast((text) => text !== '') ?? ''
    const comment = /^<!-- (?:run: (computer|target|pm2|engine|cluster|machine)|not run here: (.+)) -->$/.exec(above)
    if (comment === null)
      throw new Error(`${name}:${index + 1}: say above this block where it is run, or why it is not`)
    const [, place, reason] = comment
    blocks.push({
      place: (place as GuideBlock['place'] | undefined) ?? null,
      reason: reason ?? null,
      commands: lines.slice(index + 1, lines.indexOf('```', index)).join('\n'),
      line: index + 1,
    })
  }
  return blocks
}
