import type { ResolvedServer } from '../../config/references.ts'
import { readTlsMaterial, secureContextOf } from '../network/tls.ts'
import { everywhere, internetOnly, isLoopbackHost } from '../network/addresses.ts'
import { isInternetOnly } from '../remote.ts'
import type { RemotePatient } from './remote-steps.ts'

/** A remote server as the doctor looks at it, reached as its connection would be. */
export function remotePatient(
  resolve: () => ResolvedServer,
  env: (name: string) => string | undefined,
  { configDir, allowPrivateAddresses }: { configDir: string; allowPrivateAddresses: () => boolean },
): RemotePatient {
  const given = (): ResolvedServer['remote'] => {
    try {
      return resolve().remote
    } catch {
      // The step "configuration" tells it.
      return {}
    }
  }
  return {
    url: () => resolve().url ?? '',
    get proxy() {
      const { proxy } = given()
      if (proxy === 'direct') return null
      const url = proxy ?? environmentProxy(resolve().url ?? '', env)
      return url === null ? null : withoutCredentials(url)
    },
    get allowed() {
      return isInternetOnly(given(), allowPrivateAddresses) ? internetOnly : everywhere
    },
    secureContext: () => {
      const { tls } = given()
      return tls === undefined ? undefined : secureContextOf(readTlsMaterial(tls, configDir))
    },
    get servername() {
      return given().tls?.servername
    },
  }
}

/** As HTTP_PROXY, HTTPS_PROXY and NO_PROXY have it; loopback is never behind a proxy. */
function environmentProxy(url: string, env: (name: string) => string | undefined): string | null {
  const { protocol, hostname } = new URL(url)
  if (isLoopbackHost(hostname)) return null
  const named = (name: string): string => env(name.toLowerCase()) ?? env(name) ?? ''
  const spared = named('NO_PROXY')
    .split(/[\s,]+/)
    .map((entry) => entry.replace(/^\*?\./, '').replace(/:\d+$/, ''))
    .filter((entry) => entry !== '')
  if (spared.some((entry) => entry === '*' || hostname === entry || hostname.endsWith(`.${entry}`))) return null
  return named(protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') || null
}

function withoutCredentials(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url
}
