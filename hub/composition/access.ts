import type { ExternalIssuer } from '../auth/external-issuer.ts'
import { openIdentity, type Identity } from '../auth/identity.ts'
import { createProtectedResources, type ProtectedResources } from '../auth/protected-resource.ts'
import { createRateLimits, type RateLimits } from '../auth/rate-limits.ts'
import { signingKeys } from '../auth/signing-keys.ts'
import type { ClusterSource } from '../cluster/cluster-source.ts'
import type { Documents } from '../config/documents.ts'
import type { ConfigStore } from '../config/store.ts'
import { identityAct } from '../history/acts.ts'
import type { Recorder } from '../history/recorder.ts'
import type { HubOptions } from '../hub.ts'
import type { Webhooks } from '../observe/webhooks.ts'

export interface AccessOptions {
  options: HubOptions
  config: ConfigStore
  documents: Documents
  cluster: ClusterSource
  history: Recorder
  webhooks: Webhooks
  baseUrl: () => string | null
  announceSetup: (code: string) => void
}

/** Who may come in, what their tokens are made with, and how often they may. */
export interface Access {
  identity: Identity
  /** Of the hubs that share them; the first signs. */
  signingKeys: readonly Uint8Array[]
  issuer: ExternalIssuer | null
  resources: ProtectedResources
  rates: RateLimits
  /** How often a name was locked. */
  readonly lockouts: number
}

/** Throws BrokenFile when users.json is broken. */
export async function openAccess(parts: AccessOptions): Promise<Access> {
  const { options, config, documents, cluster, history, webhooks } = parts
  const { auth: settings = {} } = config.system
  if (options.redisUrl !== null && settings.jwtSecret === undefined)
    options.log('warn', 'JWT_SECRET is not set: who signs in here is not signed in at the hubs that share REDIS_URL')
  let lockouts = 0
  const keys = await signingKeys(options, settings)
  const identity = await openIdentity({
    mode: options.mode,
    documents,
    dataDir: options.dataDir,
    tokens: options.tokens,
    signingKeys: keys,
    auth: () => config.system.auth ?? {},
    adminPassword: options.adminPassword,
    openCluster: cluster.open,
    announceSetup: parts.announceSetup,
    log: options.log,
    audit: (act) => {
      history.audit(identityAct(act))
      if (act.action !== 'auth.locked') return
      lockouts++
      webhooks.lockout(act.target, act.address)
    },
  })
  const issuer =
    settings.oauth === undefined
      ? null
      : (await import('../auth/external-issuer.ts')).createExternalIssuer(settings.oauth)
  return {
    identity,
    signingKeys: keys,
    issuer,
    resources: createProtectedResources({ issuer, audience: settings.oauth?.audience ?? [], baseUrl: parts.baseUrl }),
    rates: createRateLimits({
      mode: options.mode,
      settings: () => config.system.rateLimit,
      limiter: cluster.limiter,
    }),
    get lockouts() {
      return lockouts
    },
  }
}
