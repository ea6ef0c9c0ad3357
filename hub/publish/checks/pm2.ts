import vm from 'node:vm'
import { z } from 'zod'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { hubPorts } from '../context.ts'
import { failed, passed, textOf } from './outcome.ts'

/** Runs the file as PM2 would and looks at the processes that it describes. */
export function checkEcosystem(bundle: Bundle): Check {
  const artifact = 'pm2/ecosystem.config.cjs'
  const shape = z.object({
    exports: z.object({
      apps: z.array(z.object({ name: z.string(), script: z.string(), env: z.object({ PORT: z.string() }) })),
    }),
  })
  try {
    const module = { exports: {} }
    new vm.Script(textOf(bundle, artifact), { filename: artifact }).runInNewContext({ module }, { timeout: 1_000 })
    const { apps } = shape.parse(module).exports
    const ports = hubPorts(bundle.context.target).map(String)
    if (apps.map((app) => app.env.PORT).join() !== ports.join())
      throw new Error(`It does not start one hub on each of ${ports.join(', ')}`)
    return passed(artifact, `node ${process.versions.node}`, say`Starts ${apps.map((app) => app.name).join(', ')}.`)
  } catch (error) {
    const line = /ecosystem\.config\.cjs:(\d+)/.exec(error instanceof Error ? (error.stack ?? '') : '')
    return failed(artifact, 'node', String(error), {
      line: line === null ? null : Number(line[1]),
      cure: say`Report this as a fault of MCP Hub.`,
    })
  }
}
