#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCli } from './cli/main.ts'

const here = path.dirname(fileURLToPath(import.meta.url))
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  // Built, this file lies beside the hub's entry; run from source, the built program is in dist.
  distDir: existsSync(path.join(here, 'server.js')) ? path.dirname(here) : path.join(path.dirname(here), 'dist'),
  version: packageVersion(here),
  signal: stop.signal,
})

/** The version of the nearest package.json: the repository's, or the one in a bundle. */
function packageVersion(folder: string): string {
  const file = path.join(folder, 'package.json')
  if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  const parent = path.dirname(folder)
  return parent === folder ? '0.0.0' : packageVersion(parent)
}
