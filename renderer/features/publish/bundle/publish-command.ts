import type { TargetInput } from '../../../../hub/contract/index.ts'

/** The command line that makes the same bundle. */
export function publishCommand(target: TargetInput): string {
  const options: [string, string | number | undefined][] = [
    ['--domain', target.domain],
    ['--mode', target.mode === 'pm2' ? undefined : target.mode],
    ['--instances', target.instances],
    ['--services', target.services?.join(',')],
    ['--log-level', target.logLevel],
    ['--base-port', target.basePort],
    ['--http-port', target.httpPort],
    ['--https-port', target.httpsPort],
    ['--tls-cert', target.tls?.certificate],
    ['--tls-key', target.tls?.key],
  ]
  return [
    'mcp-hub publish --out bundle',
    ...options.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`${name} ${value}`])),
  ].join(' ')
}
