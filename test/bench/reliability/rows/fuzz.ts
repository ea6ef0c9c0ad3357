import { spawn } from 'node:child_process'
import path from 'node:path'
import type { Row } from '../row.ts'

const root = path.join(import.meta.dirname, '..', '..', '..', '..')

/** The fuzz tests themselves judge each answer; this only counts them. */
const fuzz: Row = {
  id: 'R17',
  what: 'hostile requests over JSON-RPC and REST, generated and raw',
  must: '100,000 for each endpoint; no 5xx, none longer than 3 s, memory bounded',
  run: ({ short }) =>
    new Promise((resolve, reject) => {
      const inputs = short ? 100 : 100_000
      const child = spawn(
        process.execPath,
        ['node_modules/vitest/vitest.mjs', 'run', '--project', 'fuzz', '--no-file-parallelism'],
        {
          cwd: root,
          env: { ...process.env, ...(short ? {} : { MCP_HUB_FUZZ: 'long' }), FUZZ_INPUTS: String(inputs) },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      )
      let said = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-100_000)))
      child.once('error', reject)
      child.once('close', (code) => {
        const passed = /Tests\s.*?(\d+) passed/.exec(said.replaceAll(/\x1b\[[\d;]*m/g, ''))?.[1]
        if (code !== 0) process.stderr.write(said)
        resolve({
          measured: `${inputs} inputs an endpoint; ${passed ?? 'no'} tests passed, exit ${code}`,
          pass: code === 0,
        })
      })
    }),
}

export const fuzzRows: readonly Row[] = [fuzz]
