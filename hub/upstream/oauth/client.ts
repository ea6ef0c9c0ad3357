import type { OAuthClientMetadata, StoredOAuthClientInformation } from '@modelcontextprotocol/client'
import { isLoopbackHost } from '../network/addresses.ts'
import type { Discovery } from './discovery.ts'
import type { AccountPlace } from './place.ts'
import type { AccountRecord } from './record.ts'
import { missingScopes } from './scopes.ts'

export const CALLBACK_PATH = '/oauth/callback'
export const CLIENT_METADATA_PATH = '/oauth/client.json'

/** What the hub says of itself when it registers (RFC 7591), and in its own metadata document. */
export function clientMetadata(redirectUrl: string, authMethod: string): OAuthClientMetadata {
  return {
    client_name: 'MCP Hub',
    client_uri: 'https://mcphub.dev',
    redirect_uris: [redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: authMethod,
    application_type: isLoopbackHost(new URL(redirectUrl).hostname) ? 'native' : 'web',
  }
}

/** The document at `CLIENT_METADATA_PATH` of a hub with a public address: its URL is the client's id. */
export function clientMetadataDocument(origin: string): object {
  return {
    client_id: origin + CLIENT_METADATA_PATH,
    ...clientMetadata(origin + CALLBACK_PATH, 'none'),
  }
}

/** A hub on the internet can be read by authorization servers, one on loopback cannot. */
export function ownMetadataUrl(redirectUrl: string): string | undefined {
  const { protocol, hostname, origin } = new URL(redirectUrl)
  return protocol === 'https:' && !isLoopbackHost(hostname) ? origin + CLIENT_METADATA_PATH : undefined
}

/** How the hub shows who it is at the token endpoint: not at all where that suffices, since a public client has no secret. */
export function authMethodFor({ authorizationServerMetadata }: Discovery): string {
  // A server that does not tell means client_secret_basic (RFC 8414 §2).
  const offered = authorizationServerMetadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  const known = ['none', 'client_secret_basic', 'client_secret_post']
  return known.find((method) => offered.includes(method)) ?? 'none'
}

/** The client to use at an authorization server: the one of the configuration, or the one registered there before. */
export function knownClient(
  record: AccountRecord | null,
  issuer: string,
  { oauth }: AccountPlace,
  redirectUrl: string,
  metadataUrl: string | undefined,
  now: number,
  scope?: string,
): StoredOAuthClientInformation | undefined {
  if (oauth.clientId !== undefined) {
    return {
      client_id: oauth.clientId,
      ...(oauth.clientSecret === undefined ? {} : { client_secret: oauth.clientSecret }),
      issuer,
    }
  }
  const kept = record?.clients[issuer]
  if (kept === undefined || kept.redirectUrl !== redirectUrl) return undefined
  const { client_id: id, client_secret_expires_at: expiry, redirect_uris: registered } = kept.information
  // What was not registered is the URL of a document; that of another document is another client.
  if (registered === undefined && id !== metadataUrl) return undefined
  // Some servers hold a client to the scopes that it registered for.
  const { scope: allowed } = kept.information
  if (typeof allowed === 'string' && missingScopes(scope, allowed).length > 0) return undefined
  if (typeof expiry === 'number' && expiry > 0 && expiry * 1_000 <= now) return undefined
  return kept.information
}
