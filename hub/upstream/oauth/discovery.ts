import type { AuthorizationServerMetadata, OAuthProtectedResourceMetadata } from '@modelcontextprotocol/client'
import { say } from '../../say.ts'
import { SignInFailure, oneLine } from './failures.ts'
import type { AccountPlace } from './place.ts'
import type { KeptDiscovery } from './record.ts'
import { loadSdk } from './sdk.ts'

/** What a server says about how to sign in to it. */
export interface Discovery {
  authorizationServerUrl: string
  resourceMetadataUrl?: string
  authorizationServerMetadata: AuthorizationServerMetadata
  resourceMetadata?: OAuthProtectedResourceMetadata
}

/** RFC 9728, then RFC 8414 or OpenID Connect. Refuses an authorization server that does not show that it does PKCE with S256. */
export async function discover(place: AccountPlace, resourceMetadataUrl: string | undefined): Promise<Discovery> {
  const sdk = await loadSdk()
  const found = await sdk
    .discoverOAuthServerInfo(place.url, {
      fetchFn: place.fetch,
      ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl: new URL(resourceMetadataUrl) }),
    })
    .catch((error: unknown) => {
      if (!(error instanceof sdk.IssuerMismatchError)) throw error
      throw new SignInFailure(
        say`The authorization server ${error.expected ?? ''} calls itself ${oneLine(error.received ?? '')}; it is not trusted`,
        say`Ask the service to correct its metadata: both must be the same.`,
      )
    })
  const { authorizationServerUrl, authorizationServerMetadata: metadata, resourceMetadata } = found
  if (metadata === undefined) {
    throw new SignInFailure(
      say`${new URL(place.url).host} does not say where to sign in: ${authorizationServerUrl} has no OAuth metadata`,
      say`Give it an Authorization header with a token or key of the service instead.`,
    )
  }
  // Without the list a client must refuse: a code could be redeemed by whoever sees it.
  if (metadata.code_challenge_methods_supported?.includes('S256') !== true) {
    throw new SignInFailure(
      say`${metadata.issuer} does not announce PKCE with S256, without which signing in is not safe`,
      say`Ask the service to support it, or give an Authorization header instead.`,
    )
  }
  return {
    authorizationServerUrl,
    authorizationServerMetadata: metadata,
    ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }),
    ...(resourceMetadata === undefined ? {} : { resourceMetadata }),
  }
}

/** The authorization server that the server names now; null when it does not tell. */
export async function namedAuthorizationServer(
  place: AccountPlace,
  resourceMetadataUrl: string | undefined,
): Promise<string | null> {
  const sdk = await loadSdk()
  try {
    const metadata = await sdk.discoverOAuthProtectedResourceMetadata(
      place.url,
      resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl },
      place.fetch,
    )
    return metadata.authorization_servers?.[0] ?? null
  } catch {
    return null
  }
}

/** What was kept, with the types that it had: it was parsed when it came. */
export function asDiscovery(kept: KeptDiscovery): Discovery {
  return kept as unknown as Discovery
}

/** The resource that tokens are asked for (RFC 8707): as the server spells it. */
export function resourceOf(discovery: Discovery): string | undefined {
  return discovery.resourceMetadata?.resource
}
