import path from 'node:path'
import { modules, root } from './lib/paths.mjs'
import { run } from './lib/process.mjs'

/** One check per runtime: each has the globals that it really has, and no others. */
const projects = [
  { tool: 'typescript/bin/tsc', project: '.' },
  { tool: 'typescript/bin/tsc', project: 'hub/contract' },
  { tool: 'typescript/bin/tsc', project: 'preload' },
  { tool: 'typescript/bin/tsc', project: 'test/e2e' },
  { tool: 'typescript/bin/tsc', project: 'test/bench/page' },
  { tool: 'vue-tsc/bin/vue-tsc.js', project: 'renderer' },
  { tool: 'vue-tsc/bin/vue-tsc.js', project: 'test/ui' },
]

for (const { tool, project } of projects) {
  const { code } = await run(process.execPath, [path.join(modules, tool), '--noEmit', '-p', project], {
    cwd: root,
    keep: false,
  })
  if (code !== 0) process.exitCode = 1
}
