import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { targetSchema, type TargetInput } from '../../hub/contract/publish.ts'
import { createBundle } from '../../hub/publish/bundle.ts'
import { findTool, runTool } from '../../hub/publish/run-tool.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'

/** What a README tells people to type goes through the shell's own linter. */
const shellcheck = await findTool('shellcheck')

describe.skipIf(shellcheck === null)('the commands of a README', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeAll(async () => {
    folder = await temporaryFolder()
    await writeBuiltProgram(folder.path)
  })
  afterAll(() => folder.dispose())

  it.each<[string, Partial<TargetInput>]>([
    ['pm2', {}],
    [
      'pm2 with several hubs and a certificate of its own',
      { instances: 3, services: ['database', 'redis'], tls: { certificate: '/etc/ssl/x.pem', key: '/etc/ssl/x.key' } },
    ],
    ['systemd', { mode: 'systemd' }],
    ['systemd with several hubs', { mode: 'systemd', instances: 3, services: ['database'] }],
    ['docker', { mode: 'docker', httpsPort: 8443 }],
    ['kubernetes', { mode: 'kubernetes' }],
    ['kubernetes with several hubs', { mode: 'kubernetes', instances: 2, services: ['database'] }],
    ['docker with stores beside the hubs', { mode: 'docker', instances: 2, services: ['database', 'redis'] }],
  ])('pass shellcheck: %s', async (name, options) => {
    const target = targetSchema.parse({ domain: 'hub.example.com', ...options })
    const { files } = await createBundle({ servers: {}, system: {}, target, distDir: folder.path, version: '1.0.0' })
    const readme = files.find((file) => file.path === 'README.md')?.text ?? ''
    const commands = Array.from(readme.matchAll(/```sh\n(.*?)```/gs), ([, block = '']) => `(\n${block})\n`)
    expect(commands.length).toBeGreaterThan(10)
    const script = path.join(folder.path, `${name.replace(/\W/g, '-')}.sh`)
    await writeFile(script, commands.join('\n'))
    // SC2016: certbot, not this shell, fills in the folder of the certificate. SC2012: releases have plain names.
    const args = ['--shell=bash', '--exclude=SC2016,SC2012', script]
    expect(await runTool(shellcheck ?? '', args, { cwd: folder.path, timeoutMs: 20_000 })).toEqual({
      code: 0,
      output: '',
    })
  })
})
