import { z } from 'zod'
import { say, type Said } from '../../say.ts'
import { asDiscovery } from './discovery.ts'
import { messageOf } from './failures.ts'
import { sameIssuer, type AccountPlace } from './place.ts'
import type { AccountRecord } from './record.ts'
import { clientOf } from './refresh.ts'
import { loadSdk } from './sdk.ts'

/** Has the authorization server take tokens back (RFC 7009). Answers why it did not, or null. */
export async function revokeTokens(record: AccountRecord, place: AccountPlace, now: number): Promise<Said | null> {
  const { tokens, discovery } = record
  if (tokens === null || discovery === null) return say`There was nothing to revoke.`
  const { authorizationServerUrl, authorizationServerMetadata: metadata } = asDiscovery(discovery)
  const client = clientOf(record, place, now)
  const sdk = await loadSdk()
  try {
    const { endpoint, methods } = await revocation(authorizationServerUrl, metadata.issuer, place)
    if (endpoint === undefined || client === undefined) {
      return say`${metadata.issuer} offers no way to revoke tokens; they end by themselves.`
    }
    const method = sdk.selectClientAuthMethod(client, methods)
    sdk.assertSecureTokenEndpoint(endpoint)
    // The refresh token first: with it go the access tokens that it gave, at most servers.
    for (const [hint, token] of [
      ['refresh_token', tokens.refresh_token],
      ['access_token', tokens.access_token],
    ] as const) {
      if (token === undefined) continue
      const body = new URLSearchParams({ token, token_type_hint: hint })
      const headers = new Headers({ 'content-type': 'application/x-www-form-urlencoded' })
      if (method === 'client_secret_basic') {
        const pair = [client.client_id, client.client_secret ?? ''].map(encodeURIComponent).join(':')
        headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`)
      } else {
        body.set('client_id', client.client_id)
        if (method === 'client_secret_post') body.set('client_secret', client.client_secret ?? '')
      }
      const response = await place.fetch(endpoint, { method: 'POST', headers, body })
      if (!response.ok)
        return say`${new URL(endpoint).host} answered the revocation with HTTP status ${response.status}.`
    }
    return null
  } catch (error) {
    return say`The tokens could not be revoked: ${messageOf(error)}`
  }
}

const documentSchema = z.object({
  issuer: z.string(),
  revocation_endpoint: z.string().optional(),
  revocation_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
})

/** Read anew: what the SDK keeps of OpenID Connect's metadata does not have it. */
async function revocation(
  authorizationServerUrl: string,
  issuer: string,
  place: AccountPlace,
): Promise<{ endpoint: string | undefined; methods: string[] }> {
  const sdk = await loadSdk()
  for (const { url } of sdk.buildDiscoveryUrls(authorizationServerUrl)) {
    const response = await place.fetch(url, { headers: { accept: 'application/json' } })
    if (!response.ok) continue
    const document = documentSchema.parse(await response.json())
    if (!sameIssuer(document.issuer, issuer)) continue
    const methods =
      document.revocation_endpoint_auth_methods_supported ?? document.token_endpoint_auth_methods_supported
    return { endpoint: document.revocation_endpoint, methods: methods ?? [] }
  }
  return { endpoint: undefined, methods: [] }
}
