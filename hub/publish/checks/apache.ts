import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { findTool, runTool } from '../run-tool.ts'
import { failed, notChecked, passed, textOf, TOOL_TIMEOUT_MS } from './outcome.ts'

const MODULES = [
  'mpm_event',
  'authz_core',
  'authz_host',
  'alias',
  'rewrite',
  'headers',
  'proxy',
  'proxy_http',
  'proxy_balancer',
  'lbmethod_byrequests',
  'slotmem_shm',
  'ssl',
  'http2',
  'socache_shmcb',
]
export const APACHE_MODULES = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules']

/** What a site needs around it: the modules, and places of its own to write to. */
export function apacheAround(folder: string, modules: string): string {
  return [
    `ServerRoot ${folder}`,
    'ServerName check',
    `PidFile ${folder}/pid`,
    `DefaultRuntimeDir ${folder}`,
    `ErrorLog ${folder}/error.log`,
    ...MODULES.map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`),
    '',
  ].join('\n')
}

/** `apache2 -t` on the site, with the modules that it needs, and a throw-away certificate in the place of the real one. */
export async function checkApache(bundle: Bundle, folder: string): Promise<Check> {
  const artifact = 'apache/mcp-hub.conf'
  const apache = (await findTool('apache2')) ?? (await findTool('httpd'))
  const openssl = await findTool('openssl')
  if (apache === null) return notChecked(artifact, 'apache2', say`Apache is not installed here.`)
  if (openssl === null)
    return notChecked(artifact, 'apache2', say`openssl is not installed here, and Apache wants a certificate.`)
  const [key, certificate] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const made = await runTool(openssl, [...make, '-subj', '/CN=check', '-keyout', key, '-out', certificate], {
    cwd: folder,
    timeoutMs: TOOL_TIMEOUT_MS,
  })
  if (made.code !== 0) return notChecked(artifact, 'apache2', say`openssl made no certificate: ${made.output}`)
  const modules = APACHE_MODULES.find((place) => existsSync(path.join(place, 'mod_ssl.so')))
  if (modules === undefined)
    return notChecked(artifact, 'apache2', say`Its modules are in none of ${APACHE_MODULES.join(', ')}.`)
  const before = apacheAround(folder, modules)
  const site = textOf(bundle, artifact)
    .replace(/^(\s*SSLCertificateFile ).*$/gm, `$1${certificate}`)
    .replace(/^(\s*SSLCertificateKeyFile ).*$/gm, `$1${key}`)
  const file = path.join(folder, 'apache.conf')
  await writeFile(file, `${before}${site}`)
  const result = await runTool(apache, ['-t', '-f', file], { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })
  if (result.code === 0 && !/\bwarn\b/i.test(result.output))
    return passed(
      artifact,
      'apache2',
      say`apache2 -t accepts it, with a throw-away certificate in the place of the real one.`,
    )
  const line = /on line (\d+) of/.exec(result.output)?.[1]
  return failed(artifact, 'apache2', result.output || say`apache2 -t did not end in time.`, {
    line: line === undefined ? null : Number(line) - before.split('\n').length + 1,
    cure: say`Report this as a fault of MCP Hub.`,
  })
}
