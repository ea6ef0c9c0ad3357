import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

/** What a call is, the same in each of its rounds. */
export interface CallIdentity {
  principal: string
  /** The path of the endpoint that it came to. */
  endpoint: string
  method: string
  server: string
  /** Of the tool, prompt or resource, as the server knows it. */
  name: string
}

/** What a client carries between the rounds of a call that waits for its answers. */
export interface RequestState extends CallIdentity {
  call: string
  /** Each round has a state of its own, good once. */
  round: number
  /** The hub at which the call waits. */
  owner: string
  expiresAt: number
}

/** Seals it under a key that all hubs have, so that each can tell what it is, and nobody else can read or make one. */
export interface StateSeal {
  seal: (state: RequestState) => string
  /** Null for what no hub of this key sealed. */
  open: (text: unknown) => RequestState | null
}

const IV_BYTES = 12
const TAG_BYTES = 16

/** `keys` are those of access tokens, of which the first seals: they are the same at all hubs, and changed in two steps. */
export function createStateSeal(keys: readonly Uint8Array[]): StateSeal {
  const sealing = keys.map((secret) => {
    const key = Buffer.from(hkdfSync('sha256', secret, '', 'mcp-hub requestState', 32))
    return { key, kid: createHash('sha256').update(key).digest('base64url').slice(0, 8) }
  })

  return {
    seal: (state) => {
      const [first] = sealing
      if (first === undefined) throw new Error('There is no key to seal a requestState with')
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', first.key, iv).setAAD(Buffer.from(first.kid))
      const sealed = Buffer.concat([cipher.update(JSON.stringify(state)), cipher.final()])
      return `${first.kid}.${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')}`
    },
    open: (text) => {
      const [kid = '', rest = '', ...more] = typeof text === 'string' ? text.split('.') : []
      const known = sealing.find((one) => one.kid === kid)
      const bytes = Buffer.from(rest, 'base64url')
      if (known === undefined || bytes.length <= IV_BYTES + TAG_BYTES) return null
      // Node reads over what is no base64, and over the last bits: it must be the very text that was sealed.
      if (more.length > 0 || bytes.toString('base64url') !== rest) return null
      const decipher = createDecipheriv('aes-256-gcm', known.key, bytes.subarray(0, IV_BYTES))
        .setAAD(Buffer.from(kid))
        .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
      try {
        const opened = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
        // Only a hub of this key could have written it.
        return JSON.parse(opened.toString()) as RequestState
      } catch {
        return null
      }
    },
  }
}
