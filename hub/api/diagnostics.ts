import { pipeline } from 'node:stream/promises'
import { cpuProfileOptionsSchema } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { recordCpuProfile } from '../observe/cpu-profile.ts'
import { createDiagnostics, type DiagnosticsOptions } from '../observe/diagnostics.ts'
import { say } from '../say.ts'
import { bodyOf, type On } from './routes.ts'

/** `/api/diagnostics`: an archive for whoever is asked for help, and what the hub spends its time on. */
export function diagnosticsRoutes(on: On, options: DiagnosticsOptions): void {
  on('GET /api/diagnostics', async (_request, response) => {
    const { stream, dispose } = await createDiagnostics(options)
    const day = new Date().toISOString().slice(0, 10)
    response.attachment(`mcp-hub-diagnostics-${day}.tar.gz`)
    try {
      await pipeline(stream, response)
    } finally {
      await dispose()
    }
  })

  let recording = false
  on('POST /api/diagnostics/cpu-profile', async (request, response) => {
    const { seconds } = bodyOf(request, cpuProfileOptionsSchema)
    if (recording)
      throw new HubError('HUB_CONFLICT', say`A profile is being recorded already`, {
        cure: say`Try again when it is done.`,
      })
    recording = true
    const left = new AbortController()
    response.once('close', () => left.abort())
    try {
      const profile = await recordCpuProfile(seconds * 1_000, left.signal)
      response.attachment(`mcp-hub-${new Date().toISOString().replace(/[:.]/g, '-')}.cpuprofile`).json(profile)
    } catch (error) {
      // Nobody waits for it any more.
      if (!left.signal.aborted) throw error
    } finally {
      recording = false
    }
  })
}
