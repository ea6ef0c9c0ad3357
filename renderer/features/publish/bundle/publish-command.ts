import type { TargetInput } from '../../../../hub/contract/index.ts'
import { targetDefaults } from '../target/target-form.ts'

/** The command line that makes the same bundle; what is as it is without being named is not named. */
export function publishCommand(target: TargetInput): string {
  const set = <K extends keyof TargetInput>(key: K): TargetInput[K] | undefined =>
    target[key] === (targetDefaults as TargetInput)[key] ? undefined : target[key]
  const options: [string, string | number | undefined][] = [
    ['--domain', target.domain],
    ['--mode', set('mode')],
    ['--instances', set('instances')],
    ['--services', target.services?.join(',')],
    ['--backup-recipients', target.backupRecipients?.join(',')],
    ['--image-digests', target.imageDigests?.join(',')],
    ['--log-level', target.logLevel],
    ['--nginx', set('nginxVersion')],
    ['--install-dir', set('installDir')],
    ['--listen', target.listenAddress],
    ['--base-port', set('basePort')],
    ['--http-port', set('httpPort')],
    ['--https-port', set('httpsPort')],
    ['--tls-cert', target.tls?.certificate],
    ['--tls-key', target.tls?.key],
  ]
  return [
    'mcp-hub publish --out bundle',
    ...options.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`${name} ${value}`])),
  ].join(' ')
}
