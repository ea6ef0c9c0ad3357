import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { temporaryFolder } from '../../fixtures/built-program.ts'

const entry = path.join(import.meta.dirname, '..', '..', '..', 'dist', 'hub', 'server.js')
export const PASSWORD = 'a long enough password'

export interface WebHub {
  url: string
  configDir: string
  close: () => Promise<void>
}

/** The built hub in server mode, as an operator starts it. */
export async function startWebHub(
  servers: Record<string, unknown> = {},
  env: Record<string, string> = { MCP_HUB_ADMIN_PASSWORD: PASSWORD },
  /** A folder of the caller's, in which another hub goes on with what this one leaves. */
  lasting?: string,
  system: object = {},
): Promise<WebHub & { output: () => string }> {
  const folder = lasting === undefined ? await temporaryFolder() : { path: lasting, dispose: () => Promise.resolve() }
  const configDir = path.join(folder.path, 'config')
  await mkdir(configDir, { recursive: true })
  await writeFile(path.join(configDir, 'servers.json'), JSON.stringify({ mcpServers: servers }, null, 2))
  await writeFile(path.join(configDir, 'system.json'), JSON.stringify({ auth: { bcryptRounds: 10 }, ...system }))
  const child: ChildProcess = spawn(process.execPath, [entry], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      PORT: '0',
      CONFIG_DIR: configDir,
      DATA_DIR: path.join(folder.path, 'data'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      const listening = /listening on (\S+)/.exec(output)?.[1]
      if (listening !== undefined) resolve(listening)
    })
    child.once('exit', (code) => reject(new Error(`The hub ended with ${code ?? 'a signal'}: ${output}`)))
  })
  return {
    url,
    configDir,
    output: () => output,
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
      await folder.dispose()
    },
  }
}
