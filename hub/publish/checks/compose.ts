import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { findTool, runTool } from '../run-tool.ts'
import { failed, notChecked, passed, textOf, TOOL_TIMEOUT_MS } from './outcome.ts'

export async function checkCompose(bundle: Bundle, folder: string): Promise<Check> {
  const artifact = 'docker/compose.yaml'
  const docker = await findTool('docker')
  if (docker === null) return notChecked(artifact, 'docker compose', say`Docker is not installed here.`)
  const version = await runTool(docker, ['compose', 'version', '--short'], { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })
  if (version.code !== 0)
    return notChecked(artifact, 'docker compose', say`Docker is installed here without its compose plugin.`)
  const tool = `docker compose ${version.output}`
  await writeFile(path.join(folder, 'compose.yaml'), textOf(bundle, artifact))
  const result = await runTool(docker, ['compose', '-f', 'compose.yaml', 'config', '--quiet'], {
    cwd: folder,
    env: {
      ...Object.fromEntries(bundle.secrets.map(({ name }) => [name, 'checked'])),
      HUB_UID: '1000',
      HUB_GID: '1000',
    },
    timeoutMs: TOOL_TIMEOUT_MS,
  })
  if (result.code === 0) return passed(artifact, tool, say`docker compose config accepts it.`)
  return failed(artifact, tool, result.output || say`docker compose config did not end in time.`, {
    cure: say`Report this as a fault of MCP Hub.`,
  })
}
