import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Account } from '../../contract/index.ts'
import type { Log } from '../../observe/log.ts'
import { say } from '../../say.ts'
import type { SecretVault } from '../../secrets/vault.ts'
import type { Authorization } from '../authorization.ts'
import type { Accounts } from './accounts.ts'
import type { AccountPlace } from './place.ts'

export interface AccountServiceOptions {
  /** Folder of the accounts. Several hubs may share it. */
  dir: string
  /** The key that the accounts are encrypted with, or the vault that keeps one; null leaves them to the mode of their files. */
  key: Pick<SecretVault, 'get' | 'set'> | string | null
  /** Every value that must not show; told anew with each change. */
  know: (secrets: string[]) => void
  /** URL below which browsers reach this hub; null while there is none. */
  baseUrl: () => string | null
  placeOf: (server: string) => AccountPlace | null
  /** Names of the configured servers. */
  servers: () => string[]
  onChange: (account: Account) => void
  /** `widened`: more was granted to an account that is in use; its server goes on. */
  onSignedIn: (server: string, widened: boolean) => void
  onSignedOut: (server: string) => void
  log: Log
}

/** The hub's accounts at remote servers; loaded with the first of them, since most hubs run without. Their folder tells. */
export interface AccountService {
  authorization: (server: string, place: AccountPlace) => Authorization
  open: () => Promise<Accounts>
  /** Servers that cannot go on without a person. */
  needing: () => string[]
  /** Answers what browsers and authorization servers ask below `/oauth`; false when it is nothing of that. */
  serve: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
  close: () => void
}

export function createAccountService(options: AccountServiceOptions): AccountService {
  let opening: Promise<Accounts> | null = null
  let accounts: Accounts | null = null
  let closed = false

  function open(): Promise<Accounts> {
    opening ??= load().then((opened) => {
      accounts = opened
      options.know(opened.secrets())
      if (closed) opened.close()
      return opened
    })
    return opening
  }

  async function load(): Promise<Accounts> {
    const [{ openAccounts }, { openFileTokenStore }, { CALLBACK_PATH }, { SignInFailure }] = await Promise.all([
      import('./accounts.ts'),
      import('./token-store.ts'),
      import('./client.ts'),
      import('./failures.ts'),
    ])
    const store = await openFileTokenStore({
      dir: options.dir,
      key: await accountKey(options.key, options.log),
      onUnreadable: (file, message) => options.log('warn', 'An account cannot be read', { file, error: message }),
    })
    return openAccounts({
      store,
      placeOf: options.placeOf,
      servers: options.servers,
      onInherited: (from, to) => options.log('info', 'An account goes with the new name of its server', { from, to }),
      onChange: (account) => {
        if (accounts !== null) options.know(accounts.secrets())
        options.onChange(account)
      },
      onSignedIn: options.onSignedIn,
      onSignedOut: options.onSignedOut,
      redirectUrl: () => {
        const base = options.baseUrl()
        if (base !== null) return base + CALLBACK_PATH
        throw new SignInFailure(
          say`The hub has no address that a browser could come back to`,
          say`On a server set server.publicUrl in system.json or PUBLIC_URL; in the app free the port of the MCP endpoint.`,
        )
      },
    })
  }

  // Kept accounts belong to the overview, and their tokens to what is redacted, from the start on.
  if (existsSync(options.dir)) {
    open().catch((error: unknown) => options.log('error', 'The accounts cannot be read', { error: String(error) }))
  }

  return {
    authorization: (server, place) => {
      let real: Authorization | null = null
      const loaded = async (): Promise<Authorization> => (real = (await open()).authorization(server, place))
      return {
        header: () => {
          if (real !== null) return real.header()
          // Where nobody has signed in yet there is no token; a server that wants one says so.
          return opening === null ? null : loaded().then((authorization) => authorization.header())
        },
        challenged: async (challenge) => (real ?? (await loaded())).challenged(challenge),
      }
    },
    open,
    needing: () => accounts?.needing() ?? [],
    serve: (request, response, path) => {
      if (!path.startsWith('/oauth/')) return false
      Promise.all([open(), import('./callback.ts')])
        .then(([opened, { serveOAuth }]) => serveOAuth(request, response, path, opened, options.baseUrl()))
        .catch((error: unknown) => {
          options.log('error', 'A sign-in cannot be answered', { error: String(error) })
          if (!response.headersSent) response.writeHead(500)
          response.end()
        })
      return true
    },
    close: () => {
      closed = true
      accounts?.close()
    },
  }
}

/** A secret of the hub's own, which people neither see nor set. */
const KEY_NAME = 'oauth:key'

/** A vault that takes nothing leaves the accounts in files that only this user can read. */
async function accountKey(key: AccountServiceOptions['key'], log: Log): Promise<string | null> {
  if (key === null || typeof key === 'string') return key
  const { get, set } = key
  try {
    if (get(KEY_NAME) === undefined) await set(KEY_NAME, randomBytes(32).toString('base64url'))
    return get(KEY_NAME) ?? null
  } catch (error) {
    log('warn', 'The accounts at remote servers are kept unencrypted', {
      error: error instanceof Error ? error.message : String(error),
    })
    return null
  }
}
