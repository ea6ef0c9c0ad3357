import { say, told } from '../../say.ts'
import { prepareCommand, type StdioCommand } from '../process/prepare-command.ts'
import { runtimeOf } from '../process/runtimes.ts'
import type { SearchPath } from '../process/search-path.ts'
import { checkFolder } from '../process/executable.ts'
import { ageCure, versionOf } from './runtime-report.ts'
import { StepFailure, type Finding, type StepList } from './step-list.ts'

export interface LocalPatient {
  /** The command with its references resolved; throws UpstreamFailure when one has no value. */
  command: () => Promise<StdioCommand>
  searchPath: () => Promise<SearchPath>
}

/** What can be known of a local server before it is started. Nothing but `--version` of a known runtime is run. */
export async function examineCommand(steps: StepList, patient: LocalPatient): Promise<void> {
  const { command } = await steps.take('configuration', async () => {
    const command = await patient.command()
    const folder = command.cwd === undefined ? null : await checkFolder(command.cwd)
    if (folder !== null) throw new StepFailure(folder)
    const { length } = Object.keys(command.env)
    return told({ message: say`Every reference has a value; the server gets ${length} variables`, command })
  })
  const { command: name, env } = command
  await steps.take('path', async (): Promise<Finding> => {
    const found = await patient.searchPath()
    const folders = found.value.split(process.platform === 'win32' ? ';' : ':').filter((folder) => folder !== '')
    const detail = folders.join('\n')
    if (found.problem !== null) {
      const cure = say`Mend the files that the shell reads at its start, or set PATH in env.`
      return told({
        outcome: 'warning',
        message: say`The login shell did not tell its PATH: ${found.problem}`,
        cure,
        detail,
      })
    }
    return told({
      message: say`${folders.length} folders from ${
        found.source === 'login-shell' ? (found.shell ?? say`the login shell`) : say`the environment`
      }, read in ${found.durationMs} ms`,
      detail,
    })
  })
  const { message: file } = await steps.take('executable', async () => {
    const prepared = await prepareCommand(command)
    if ('reason' in prepared) throw new StepFailure(prepared.reason)
    return { message: prepared.program }
  })
  const runtime = runtimeOf(name)
  await steps.take('version', async (): Promise<Finding> => {
    if (runtime === null) return told({ outcome: 'skipped', message: say`${name} is no runtime that the hub knows` })
    const version = await versionOf(file, runtime, env)
    if (version === null) {
      const cure = say`Run ${name} --version in a terminal; reinstall ${runtime.name} if it fails there too.`
      return told({ outcome: 'warning', message: say`${name} does not tell its version`, cure })
    }
    const isNpm = /^(npx|npm)\b/.test(name)
    const cure = isNpm ? null : ageCure(runtime, version)
    const message = isNpm ? `npm ${version}` : `${runtime.name} ${version}`
    return told(cure === null ? { message } : { outcome: 'warning', message, cure })
  })
}
