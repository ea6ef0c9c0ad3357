import type { Account as AccountStatus, SignInStarted, SignedOut } from '../../contract/index.ts'
import { say, told } from '../../say.ts'
import type { Authorization } from '../authorization.ts'
import { createAccount, type ServerAccount } from './account.ts'
import { SignInFailure, wordsOf } from './failures.ts'
import { sameUrl, type AccountPlace } from './place.ts'
import type { AccountRecord } from './record.ts'
import type { TokenStore } from './token-store.ts'

export interface AccountsOptions {
  store: TokenStore
  /** Where answers come back to; throws SignInFailure when the hub has no address for them. */
  redirectUrl: () => string
  /** The configured remote server of this name; null when there is none, or it brings its own Authorization. */
  placeOf: (server: string) => AccountPlace | null
  /** Names of the configured servers. */
  servers: () => string[]
  /** An account was found under the name that its server had before. */
  onInherited: (from: string, to: string) => void
  onChange: (account: AccountStatus) => void
  /** Somebody signed in, here or at another hub of the store. `widened`: the server goes on, with more permission. */
  onSignedIn: (server: string, widened: boolean) => void
  onSignedOut: (server: string) => void
  now?: () => number
}

export type CallbackResult =
  { ok: true; server: string } | { ok: false; server: string | null; message: string; cure: string }

/** The accounts of all remote servers. */
export interface Accounts {
  authorization: (server: string, place: AccountPlace) => Authorization
  list: () => AccountStatus[]
  /** Servers that cannot go on without a person. */
  needing: () => string[]
  signIn: (
    server: string,
    options: { acceptIssuer: string | undefined; browser: string | null },
  ) => Promise<SignInStarted>
  /** The answer that a browser brought from an authorization server. */
  callback: (answer: URLSearchParams, browser: string | null) => Promise<CallbackResult>
  signOut: (server: string) => Promise<SignedOut>
  rename: (from: string, to: string) => Promise<void>
  secrets: () => string[]
  close: () => void
}

/** Reads the kept accounts. */
export async function openAccounts(options: AccountsOptions): Promise<Accounts> {
  const { store } = options
  const accounts = new Map<string, ServerAccount>()
  let closed = false

  function accountOf(server: string): ServerAccount {
    const known = accounts.get(server)
    if (known !== undefined) return known
    const account = createAccount({
      server,
      store,
      now: options.now ?? Date.now,
      onChange: () => {
        if (!closed) options.onChange(statusOf(account))
      },
      inherit: (place) => inherit(server, place),
    })
    accounts.set(server, account)
    return account
  }

  async function move(from: string, to: string): Promise<AccountRecord | null> {
    const record = await store.read(store.keyOf(from))
    if (record === null) return null
    const moved = await store.update(store.keyOf(to), () => ({ ...record, server: to }))
    await store.update(store.keyOf(from), () => null)
    accounts.get(from)?.dispose()
    accounts.delete(from)
    return moved
  }

  /**
   * An entry that was given another name by hand keeps its account where nothing else can be meant: one account is left of
   * this URL whose server is gone, and one server of this URL has none.
   */
  async function inherit(server: string, { url }: AccountPlace): Promise<AccountRecord | null> {
    const configured = options.servers()
    if (!configured.includes(server)) return null
    const records = await store.list()
    const isHere = (place: { url: string } | null): boolean => place !== null && sameUrl(place.url, url)
    const left = records.filter((each) => each.tokens !== null && !configured.includes(each.server) && isHere(each))
    const heirs = configured.filter((name) => !records.some((each) => each.server === name) && isHere(placeOf(name)))
    const [only] = left
    if (only === undefined || left.length > 1 || heirs.length > 1) return null
    options.onInherited(only.server, server)
    return move(only.server, server)
  }

  function statusOf(account: ServerAccount): AccountStatus {
    return account.status(placeOf(account.server))
  }

  /** A reference that has no value is the server's own failure, told there. */
  function placeOf(server: string): AccountPlace | null {
    try {
      return options.placeOf(server)
    } catch {
      return null
    }
  }

  function requiredPlace(server: string): AccountPlace {
    const place = options.placeOf(server)
    if (place === null) {
      throw new SignInFailure(
        say`${server} is no remote server that is signed in to`,
        say`Only http and sse servers without an Authorization header of their own can be.`,
      )
    }
    return place
  }

  for (const { server } of await store.list()) await accountOf(server).load()
  /** Keys of accounts that are under way to another name here: who is signed in does not change by that. */
  const renaming = new Set<string>()
  store.watch((key) => {
    if (renaming.has(key)) return
    const account = [...accounts.values()].find(({ server }) => store.keyOf(server) === key)
    account?.reload().then(
      (change) => {
        if (change === null || closed) return
        if (change === 'signed-out') options.onSignedOut(account.server)
        else options.onSignedIn(account.server, change === 'widened')
      },
      () => undefined,
    )
  })

  return {
    authorization: (server, place) => accountOf(server).authorization(place),
    list: () =>
      [...accounts.values()]
        .map(statusOf)
        .filter(({ configured, state, signedInAt }) =>
          configured ? true : signedInAt !== null && state !== 'signed-out',
        )
        .toSorted((a, b) => a.server.localeCompare(b.server)),
    needing: () =>
      [...accounts.values()]
        .filter((account) => account.reason !== null && placeOf(account.server) !== null)
        .map(({ server }) => server),
    signIn: async (server, { acceptIssuer, browser }) =>
      accountOf(server).beginSignIn(requiredPlace(server), {
        redirectUrl: options.redirectUrl(),
        acceptIssuer,
        browser,
      }),
    callback: async (answer, browser) => {
      const [key = ''] = (answer.get('state') ?? '').split('.')
      const record = /^[0-9a-f]{32}$/.test(key) ? await store.read(key) : null
      const server = record?.server ?? null
      try {
        if (server === null) {
          throw new SignInFailure(say`No sign-in waits for this answer`, say`Begin the sign-in again from MCP Hub.`)
        }
        options.onSignedIn(server, await accountOf(server).finishSignIn(requiredPlace(server), answer, browser))
        return { ok: true, server }
      } catch (error) {
        return { ok: false, server, ...wordsOf(error, say`Begin the sign-in again from MCP Hub.`) }
      }
    },
    signOut: async (server) => {
      const account = accountOf(server)
      const message = await account.signOut(placeOf(server))
      options.onSignedOut(server)
      return told({ account: statusOf(account), revoked: message === null, message })
    },
    rename: async (from, to) => {
      const key = store.keyOf(to)
      renaming.add(key)
      try {
        const change = (await move(from, to)) === null ? null : await accountOf(to).reload()
        // One that was started under the new name before its account was there.
        if (change !== null && change !== 'signed-out') options.onSignedIn(to, change === 'widened')
      } finally {
        renaming.delete(key)
      }
    },
    secrets: () => [...accounts.values()].flatMap(({ secrets }) => secrets),
    close: () => {
      closed = true
      store.close()
      for (const account of accounts.values()) account.dispose()
    },
  }
}
