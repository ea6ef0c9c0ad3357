import type { Running } from '../contenders/contender.ts'
import { retry } from '../lib/waiting.ts'
import type { Era } from '../programs/answers.ts'
import { startHttpUpstream, stdioUpstream } from './fixtures.ts'
import type { RowFigures, Stage } from './stage.ts'

const STEPS = 5
const GAP_MS = 20
const START_MS = 30_000

/** How many of the notifications came, in order and with the right token, and how long before the result the first did. */
async function relayed(
  hub: Running,
  upstream: string,
  era: Era,
  gapMs: number,
): Promise<{ steps: number; leadMs: number }> {
  const lane = await retry(START_MS, 10, () => hub.openLane({ upstream, era }))
  try {
    const token = `token-${Math.random()}`
    const came: number[] = []
    let firstAt = Number.NaN
    await lane.request(
      'tools/call',
      { name: lane.toolName('progress'), arguments: { steps: STEPS, gapMs }, _meta: { progressToken: token } },
      ({ method, params }) => {
        if (method !== 'notifications/progress' || params?.['progressToken'] !== token) return
        if (came.length === 0) firstAt = performance.now()
        came.push(Number(params['progress']))
      },
    )
    const steps = came.filter((step, index) => step === index + 1).length
    return { steps, leadMs: performance.now() - firstAt }
  } finally {
    lane.close()
  }
}

export const progress: Stage = {
  rows: [{ id: 'progress', title: 'five progress notifications, spread out and all at once with the result' }],
  run: async (round) => {
    const http = await startHttpUpstream('http')
    const upstreams = [stdioUpstream('stdio'), stdioUpstream('modern', 'modern'), http.config]
    try {
      for (const contender of round.contenders.filter(({ relays }) => relays)) {
        try {
          const mine = upstreams.filter(({ era }) => contender.eras.includes(era))
          const hub = await contender.start({ upstreams: mine })
          try {
            const figures: RowFigures = { spread: STEPS, joined: STEPS, leadMs: Number.POSITIVE_INFINITY }
            for (const { name } of mine) {
              for (const era of contender.eras) {
                // No hub is there to bridge eras.
                if (contender.name === 'direct' && (name === 'modern') !== (era === 'modern')) continue
                const spread = await relayed(hub, name, era, GAP_MS)
                const joined = await relayed(hub, name, era, 0)
                figures['spread'] = Math.min(figures['spread'] ?? 0, spread.steps)
                figures['joined'] = Math.min(figures['joined'] ?? 0, joined.steps)
                figures['leadMs'] = Math.min(figures['leadMs'] ?? 0, spread.leadMs)
              }
            }
            round.record('progress', contender.name, figures)
          } finally {
            await hub.end()
          }
        } catch (error) {
          round.fault('progress', contender.name, error)
        }
      }
    } finally {
      await http.end()
    }
  },
}
