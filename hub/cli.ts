#!/usr/bin/env node
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCli } from './cli/main.ts'
import { version } from './version.ts'

const here = path.dirname(fileURLToPath(import.meta.url))
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

// Whoever reads the answer may have seen enough of it: `mcp-hub … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  stop.abort(error)
})

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  // Built, this file lies beside the hub's entry; run from source, the built program is in dist.
  distDir: existsSync(path.join(here, 'server.js')) ? path.dirname(here) : path.join(path.dirname(here), 'dist'),
  version,
  signal: stop.signal,
})
