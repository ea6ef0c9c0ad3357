import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { targetSchema, type Check, type Finding, type Target } from '../contract/publish.ts'
import { createPublisher } from '../publish/index.ts'
import { SIGNATURE, signatureOf } from '../publish/signature.ts'
import { CommandError, exitCodes, requireOption, UsageError, type Command, type Values } from './command.ts'
import { readConfiguration } from './read-configuration.ts'
import { folderOptions } from './setting-options.ts'
import { readSigningKey } from './signing-key.ts'

export const publishCommand: Command = {
  name: 'publish',
  summary: 'Write a bundle that runs this configuration on a production server.',
  options: {
    out: { type: 'string', value: 'DIR', help: 'a new or empty folder for the bundle' },
    domain: { type: 'string', value: 'NAME', help: 'the name under which the hub is reached, e.g. hub.example.com' },
    mode: {
      type: 'string',
      value: 'pm2|systemd|docker|kubernetes',
      help: 'what the instructions lead with (default pm2)',
    },
    instances: { type: 'string', value: 'N', help: 'hubs side by side on the target (default 1)' },
    services: {
      type: 'string',
      value: 'NAME,…',
      help: 'what .env of the target names: database, redis, traces, sentry (several hubs need database)',
    },
    'backup-recipients': {
      type: 'string',
      value: 'KEY,…',
      help: 'public keys of age (age1…) for which ops/backup.sh encrypts its archives (default: not encrypted)',
    },
    'image-digests': {
      type: 'string',
      value: 'IMAGE,…',
      help: 'base images of Docker by their content: name:version@sha256:… (README.md of a bundle has the command that finds them)',
    },
    'log-level': { type: 'string', value: 'LEVEL', help: 'LOG_LEVEL of the hubs (default: that of system.json)' },
    config: folderOptions.config,
    'install-dir': { type: 'string', value: 'DIR', help: 'where everything lies on the target (default /opt/mcp-hub)' },
    listen: { type: 'string', value: 'ADDRESS', help: 'address that nginx listens on (default every address)' },
    nginx: {
      type: 'string',
      value: 'VERSION',
      help: 'the oldest nginx of the target: 1.22, 1.24, 1.26, 1.28 or 1.30 (default 1.22)',
    },
    'http-port': { type: 'string', value: 'PORT', help: 'nginx, http (default 80)' },
    'https-port': { type: 'string', value: 'PORT', help: 'nginx, https (default 443)' },
    'base-port': { type: 'string', value: 'PORT', help: 'first hub; the next ones follow (default 3000)' },
    'tls-cert': {
      type: 'string',
      value: 'FILE',
      help: 'certificate chain on the target (default DIR/tls/fullchain.pem)',
    },
    'tls-key': { type: 'string', value: 'FILE', help: 'its key on the target (default DIR/tls/privkey.pem)' },
    'sign-key': {
      type: 'string',
      value: 'FILE',
      help: 'sign the bundle with this Ed25519 key (PEM), for targets that check it',
    },
    force: { type: 'boolean', help: 'replace a bundle that is in the folder' },
  },
  async run(values, io) {
    const out = requireOption(values, 'out')
    const key = typeof values['sign-key'] === 'string' ? await readSigningKey(values['sign-key']) : null
    const target = targetOf(values)
    const { servers, systemAsWritten, profiles } = await readConfiguration(values, io)
    const publisher = createPublisher({
      loadServers: () => servers,
      loadSystem: () => systemAsWritten,
      loadProfiles: () => profiles.profiles,
      distDir: io.distDir,
      version: io.version,
    })
    const preview = await publisher.preview(target)

    io.out(preview.findings.map(describeFinding).join(''))
    io.out(preview.checks.map(describeCheck).join(''))
    if (preview.checks.some(({ outcome }) => outcome === 'failed'))
      throw new CommandError('Nothing was written, because a check failed.', 'See the lines above.', exitCodes.data)
    const result = await publisher.exportTo(target, out, values['force'] === true)
    if (key !== null) {
      const sums = await readFile(path.join(result.directory, 'SHA256SUMS'))
      await writeFile(path.join(result.directory, SIGNATURE), signatureOf(sums, key), { flush: true })
    }
    io.out(`Wrote ${result.files} files, ${(result.bytes / 1_048_576).toFixed(1)} MB, to ${result.directory}\n`)
    io.out(
      `The target must provide: ${preview.secrets.map(({ name, generated }) => (generated ? `${name} (generated there)` : name)).join(', ')}\n`,
    )
    io.out('Next: README.md in that folder.\n')
    return exitCodes.ok
  },
}

/** Option of the command line for each field of a target, so that a fault names what the person typed. */
const optionOf: Readonly<Record<string, string>> = {
  domain: 'domain',
  mode: 'mode',
  instances: 'instances',
  services: 'services',
  backupRecipients: 'backup-recipients',
  imageDigests: 'image-digests',
  logLevel: 'log-level',
  basePort: 'base-port',
  httpPort: 'http-port',
  httpsPort: 'https-port',
  installDir: 'install-dir',
  nginxVersion: 'nginx',
  listenAddress: 'listen',
  'tls.certificate': 'tls-cert',
  'tls.key': 'tls-key',
}

export function targetOf(values: Values): Target {
  requireOption(values, 'domain')
  const number = (value: unknown): unknown => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value)
  const input: Record<string, unknown> = { tls: {} }
  for (const [field, option] of Object.entries(optionOf)) {
    const given = values[option]
    const value =
      ['services', 'backupRecipients', 'imageDigests'].includes(field) && typeof given === 'string'
        ? given.split(',').filter((name) => name !== '')
        : ['instances', 'basePort', 'httpPort', 'httpsPort'].includes(field)
          ? number(given)
          : given
    if (value === undefined) continue
    if (field.startsWith('tls.')) Object.assign(input['tls'] as object, { [field.slice(4)]: value })
    else input[field] = value
  }
  const result = targetSchema.safeParse(input)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path ?? []
  const option = optionOf[path.join('.')] ?? optionOf[String(path[0])] ?? 'domain'
  const given = values[option]
  throw new UsageError(
    `--${option}${typeof given === 'string' ? ` ${given}` : ''}: ${issue?.message ?? 'is not valid'}.`,
  )
}

function describeFinding({ severity, path, message, cure }: Finding): string {
  return `${severity}: ${path}: ${message} ${cure}\n`
}

function describeCheck({ artifact, tool, outcome, message, fault }: Check): string {
  const place = fault?.line === null || fault === null ? artifact : `${artifact}:${fault.line}`
  return `${outcome === 'not-checked' ? 'not checked' : outcome}: ${place} (${tool}): ${message}\n`
}
