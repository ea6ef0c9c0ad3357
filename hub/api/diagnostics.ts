import { pipeline } from 'node:stream/promises'
import { createDiagnostics, type DiagnosticsOptions } from '../observe/diagnostics.ts'
import type { On } from './routes.ts'

/** `GET /api/diagnostics`: an archive for whoever is asked for help. */
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
}
