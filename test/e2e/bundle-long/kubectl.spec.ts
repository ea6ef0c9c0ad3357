import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { readGuide } from '../bundle/guide.ts'
import { run } from './images.ts'
import { publish } from './published.ts'

/**
 * Every block of the README of a bundle for a cluster, and that of the deployment guide, with the real kubectl and nobody who answers
 * it: what it would refuse of a command or a manifest, it refuses before it asks. What needs no cluster is done for real: the
 * secret, the kustomization, and the job that is turned round. Others' programs (docker, helm, curl, an editor) only are there.
 */
const UNANSWERED =
  /connect: connection refused|The connection to the server \S+ was refused|couldn't get current server API group list/
const cronJob = z.object({ spec: z.object({ jobTemplate: z.object({ spec: z.looseObject({}) }) }) })
const pod = z.object({
  initContainers: z.array(z.object({ name: z.string() })),
  containers: z.array(z.object({ name: z.string(), args: z.array(z.string()) })),
})

const kubectlIsThere = await run('kubectl', ['version', '--client'], '/').then(
  () => true,
  () => false,
)

for (const [what, options] of [
  ['one hub', []],
  ['hubs with a database, encrypted backups', ['--instances', '2', '--services', 'database', '--backup-recipients']],
] as const)
  test(`kubectl takes each command for ${what}`, async () => {
    test.skip(!kubectlIsThere, 'kubectl is not installed here')
    const key = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'
    const published = await publish('--mode', 'kubernetes', ...options, ...(options.length === 0 ? [] : [key]))
    const at = (...parts: string[]): string => path.join(published.folder, ...parts)
    try {
      await cp(published.bundle, at('work'), { recursive: true })
      await mkdir(at('bin'))
      // The cluster makes a job of its schedule; all else is kubectl's own.
      const job = cronJob.parse(parse(await readFile(at('work/k8s/backup.yaml'), 'utf8'), { version: '1.1' }))
      const restore = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'restore' }, ...job.spec.jobTemplate }
      await writeFile(at('job.yaml'), stringify(restore, { version: '1.1' }))
      const real = await run('which', ['kubectl'], '/')
      const programs = {
        kubectl: `case $* in *'create job restore '*) exec cat ${at('job.yaml')} ;; esac
printf '%s\\n' "$*" >>${at('asked')}
case $* in 'patch --local'*) exec ${real} "$@" | tee ${at('patched.yaml')} ;; esac
{ ${real} --server=http://127.0.0.1:1 "$@" 2>&1 >&3 | sed "s|^|$*: |" >>${at('said')}; } 3>&1
exit 0`,
        ...Object.fromEntries(['docker', 'helm', 'curl', 'editor'].map((name) => [name, 'exit 0'])),
      }
      for (const [name, text] of Object.entries(programs))
        await writeFile(at('bin', name), `#!/bin/bash\n${text}\n`, { mode: 0o755 })
      for (const name of ['fullchain.pem', 'privkey.pem']) await cp(at(name), at('work', name))
      await writeFile(at('work/KEY_FILE'), 'AGE-SECRET-KEY-1\n')
      const readme = await readFile(at('work/README.md'), 'utf8')
      const blocks = Array.from(readme.matchAll(/```sh\n(.*?)\n```/gs), ([, block = '']) => block)
      const guide = (await readGuide('DEPLOYMENT_GUIDE.md')).filter(({ place }) => place === 'cluster')
      expect(guide.length).toBe(3)
      const env = { PATH: `${at('bin')}:${process.env['PATH'] ?? ''}`, KUBECONFIG: at('none'), HOME: at('.') }
      for (const block of [...blocks, ...guide.map(({ commands }) => commands)])
        await test.step(block, () => run('bash', ['-euo', 'pipefail', '-c', block], at('work'), env))

      const asked = (await readFile(at('asked'), 'utf8')).trim().split('\n')
      expect(asked.length).toBeGreaterThan(25)
      const said = (await readFile(at('said'), 'utf8')).split('\n').filter((line) => line !== '')
      expect(said.filter((line) => !UNANSWERED.test(line))).toEqual([])

      const patched = parse(await readFile(at('patched.yaml'), 'utf8')) as { spec: { template: { spec: unknown } } }
      const { initContainers, containers } = pod.parse(patched.spec.template.spec)
      const names = [initContainers.map(({ name }) => name), containers.map(({ name }) => name)]
      if (options.length === 0) expect(names).toEqual([['initial-config'], ['backup']])
      else {
        expect(names).toEqual([['initial-config', 'backup'], ['database']])
        expect(containers[0]?.args).toEqual(['restore'])
      }
    } finally {
      await published.dispose()
    }
  })
