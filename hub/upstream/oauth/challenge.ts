import type { Challenge } from '../authorization.ts'
import { loadSdk } from './sdk.ts'

/** What a server says in `WWW-Authenticate` (RFC 6750, RFC 9728). */
export interface ServerChallenge {
  resourceMetadataUrl: string | undefined
  scope: string | undefined
  description: string | undefined
}

export async function parseChallenge({ status, wwwAuthenticate }: Challenge): Promise<ServerChallenge> {
  const sdk = await loadSdk()
  const headers = { 'www-authenticate': wwwAuthenticate }
  const { resourceMetadataUrl, scope, errorDescription } = sdk.extractWWWAuthenticateParams(
    new Response(null, { status, headers }),
  )
  return { resourceMetadataUrl: resourceMetadataUrl?.href, scope, description: errorDescription }
}
