import { hubPorts, nginxNeeded, publicOrigin, type BundleContext } from '../context.ts'
import { hubVariables } from '../variables.ts'

export const TARGET_ENV = 'ops/target.env'

/** What the scripts of `ops/` know of the target: lines that a shell reads as they stand. */
export function targetEnv({ target, paths, version }: BundleContext, release: string): string {
  const lines: Record<string, string> = {
    INSTALL_DIR: paths.root,
    MODE: target.mode,
    DOMAIN: target.domain,
    ORIGIN: publicOrigin(target),
    RELEASE: release,
    VERSION: version,
    PORTS: hubPorts(target).join(' '),
    HTTP_PORT: String(target.httpPort),
    HTTPS_PORT: String(target.httpsPort),
    LISTEN_ADDRESS: target.listenAddress ?? '',
    CERTIFICATE: paths.certificate,
    CERTIFICATE_KEY: paths.key,
    OWN_CERTIFICATE: target.tls.certificate === undefined && target.tls.key === undefined ? 'no' : 'yes',
    NGINX_VERSION: nginxNeeded(target),
    SERVICES: target.services.join(' '),
    BACKUP_RECIPIENTS: target.backupRecipients.join(' '),
    GENERATED: hubVariables.map(({ name }) => name).join(' '),
    HUB_USER: 'mcp-hub',
  }
  return `# Generated: change the target and publish again. HUB_USER can be set in the environment.
${Object.entries(lines)
  .map(([name, value]) => `${name}=${quote(name, value)}\n`)
  .join('')}`
}

/** Nothing that the contract lets through needs more than quotes; what would is refused rather than escaped. */
function quote(name: string, value: string): string {
  if (/[^A-Za-z0-9 ._:/,+-]/.test(value)) throw new Error(`${name} of ${TARGET_ENV} cannot be ${JSON.stringify(value)}`)
  return `'${value}'`
}
