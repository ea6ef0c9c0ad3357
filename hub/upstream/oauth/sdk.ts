import type * as Sdk from '@modelcontextprotocol/client'

/** The SDK's OAuth, loaded with the first server that asks for a sign-in: it is large, and most hubs run without. */
export function loadSdk(): Promise<typeof Sdk> {
  return import('@modelcontextprotocol/client')
}
