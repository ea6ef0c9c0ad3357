import { execFile } from 'node:child_process'
import { chown, mkdir, mkdtemp, readFile, rm, writeFile, chmod } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { repository } from './images.ts'

const run = promisify(execFile)
export const DOMAIN = 'hub.test'

export interface Published {
  folder: string
  bundle: string
  version: string
  environmentFile: string
  environment: Record<string, string>
  certificate: string
  key: string
  dispose: () => Promise<void>
}

/** The `.env` of a bundle, with secrets of its own. */
export async function makeEnvironment(bundle: string, file: string): Promise<void> {
  const cli = path.join(bundle, 'hub/cli.js')
  await run(process.execPath, [cli, 'env', '--example', path.join(bundle, '.env.example'), '--out', file])
}

/** A bundle by the built command line, its `.env`, and a certificate. */
export async function publish(...options: string[]): Promise<Published> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-long-'))
  await chmod(folder, 0o755)
  const at = (...parts: string[]): string => path.join(folder, ...parts)
  await mkdir(at('source'))
  const everything = { command: 'mcp-server-everything', env: { EVERYTHING_API_KEY: 'canary-environment-5d1f' } }
  await writeFile(at('source/servers.json'), JSON.stringify({ mcpServers: { everything } }))
  const cli = path.join(repository, 'dist/hub/cli.js')
  const bundle = at('bundle')
  await run(process.execPath, [
    cli,
    'publish',
    '--out',
    bundle,
    '--domain',
    DOMAIN,
    '--config',
    at('source'),
    ...options,
  ])

  const environmentFile = at('.env')
  await makeEnvironment(bundle, environmentFile)
  const text = (await readFile(environmentFile, 'utf8')).replace(
    /^EVERYTHING_API_KEY=$/m,
    'EVERYTHING_API_KEY=given-on-the-target',
  )
  await writeFile(environmentFile, text)
  // The user of the image; a secret that is a file keeps the owner that it has here.
  await chown(environmentFile, 1000, 1000)

  const [certificate, key] = [at('fullchain.pem'), at('privkey.pem')]
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
    '-subj',
    `/CN=${DOMAIN}`,
  ]
  await run('openssl', [...request, '-addext', `subjectAltName=DNS:${DOMAIN}`, '-keyout', key, '-out', certificate])
  for (const file of [certificate, key]) await chown(file, 101, 101)
  const { version } = JSON.parse(await readFile(path.join(bundle, 'package.json'), 'utf8')) as { version: string }
  return {
    folder,
    bundle,
    version,
    environmentFile,
    environment: Object.fromEntries(
      Array.from(text.matchAll(/^([A-Z_0-9]+)=(.*)$/gm), ([, name = '', value = '']) => [name, value]),
    ),
    certificate,
    key,
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
}
