import path from 'node:path'
import { root, toolEnv, toolNode } from './paths.mjs'
import { run } from './process.mjs'
import { SetupError } from './setup-error.mjs'

/** Builds what has changed since it was built. In a process of its own: the build tools need a newer Node than ours. */
export async function buildStale() {
  const script = path.join(root, 'scripts', 'build.ts')
  const { code } = await run(toolNode(), [script, '--stale'], { cwd: root, env: toolEnv(), keep: false })
  if (code !== 0) throw new SetupError('The build failed; its output is above.', 'Correct it and run this again.')
}
