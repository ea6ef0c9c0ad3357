import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto'

/**
 * The format of age (https://age-encryption.org/v1) for X25519 keys, of Node's own primitives. Header and payload are apart: the
 * payload is a row of chunks, so that a file of any size needs the memory of one.
 */

/** What a file begins with. */
export const MAGIC = 'age-encryption.org/v1'
/** Bytes of a chunk in the clear, and what encryption adds to each. */
export const CHUNK = 65_536
export const TAG = 16
/** Bytes between the header and the first chunk. */
export const NONCE = 16
const MAC_LINE = '---'

const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
/** ASN.1 before a raw X25519 key of 32 bytes. */
const PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC = Buffer.from('302a300506032b656e032100', 'hex')

/** The 32 bytes in `age1…` or `AGE-SECRET-KEY-1…`; null where it is neither. Its checksum is not looked at. */
function bytesOf(key: string, prefix: string): Buffer | null {
  const text = key.toLowerCase()
  if (!text.startsWith(prefix)) return null
  const values = Array.from(text.slice(prefix.length, -6), (letter) => LETTERS.indexOf(letter))
  if (values.length !== 52 || values.includes(-1)) return null
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('')
  return Buffer.from(Array.from({ length: 32 }, (_, at) => parseInt(bits.slice(at * 8, at * 8 + 8), 2)))
}

const rawPublic = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' }).subarray(-32)
const publicKey = (raw: Buffer): KeyObject =>
  createPublicKey({ key: Buffer.concat([PUBLIC, raw]), format: 'der', type: 'spki' })

const derive = (secret: Buffer, salt: Buffer, info: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, salt, info, 32))
const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')

function seal(key: Buffer, nonce: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG })
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Throws when it was changed, or the key is another. */
function unseal(key: Buffer, nonce: Buffer, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG })
  decipher.setAuthTag(sealed.subarray(-TAG))
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG)), decipher.final()])
}

/** The key that a file's key is wrapped with, for one recipient; the same from both sides. */
function wrappingKey(privateKey: KeyObject, other: Buffer, share: Buffer, recipient: Buffer): Buffer {
  const secret = diffieHellman({ privateKey, publicKey: publicKey(other) })
  return derive(secret, Buffer.concat([share, recipient]), `${MAGIC}/X25519`)
}

const macOf = (fileKey: Buffer, text: string): Buffer =>
  createHmac('sha256', derive(fileKey, Buffer.alloc(0), 'header'))
    .update(text)
    .digest()

/** A new file's key, and its header for these public keys (`age1…`). Throws where one is none. */
export function makeHeader(recipients: readonly string[]): { fileKey: Buffer; header: Buffer } {
  const fileKey = randomBytes(16)
  const stanzas = recipients.map((recipient) => {
    const raw = bytesOf(recipient, 'age1')
    if (raw === null) throw new Error(`${recipient} is no public key of age`)
    const own = generateKeyPairSync('x25519')
    const share = rawPublic(own.publicKey)
    const body = seal(wrappingKey(own.privateKey, raw, share, raw), Buffer.alloc(12), fileKey)
    return `-> X25519 ${unpadded(share)}\n${unpadded(body)}\n`
  })
  const text = `${MAGIC}\n${stanzas.join('')}${MAC_LINE}`
  return { fileKey, header: Buffer.from(`${text} ${unpadded(macOf(fileKey, text))}\n`) }
}

/**
 * The file's key, by one of the private keys in `identities` (the text of a file of age-keygen), and how long the header is, which
 * `start` must hold whole. Throws where none fits, or the header was changed.
 */
export function openHeader(start: Buffer, identities: string): { fileKey: Buffer; length: number } {
  const [all, text = '', mac = ''] = /^((?:.*\n)*?---) (\S{43})\n/.exec(start.toString('latin1')) ?? []
  if (all === undefined || !all.startsWith(`${MAGIC}\n`)) throw new Error('it has no whole header of age')
  const keys = identities.split(/\r?\n/).flatMap((line) => bytesOf(line.trim(), 'age-secret-key-1') ?? [])
  for (const [, share = '', body = ''] of text.matchAll(/^-> X25519 (\S{43})\n(\S{43})$/gm)) {
    for (const key of keys) {
      const fileKey = unwrap(key, Buffer.from(share, 'base64'), Buffer.from(body, 'base64'))
      if (fileKey === null) continue
      const given = Buffer.from(mac, 'base64')
      if (given.length !== 32 || !timingSafeEqual(given, macOf(fileKey, text)))
        throw new Error('its header was changed')
      return { fileKey, length: all.length }
    }
  }
  throw new Error('it is for none of these keys')
}

function unwrap(raw: Buffer, share: Buffer, body: Buffer): Buffer | null {
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE, raw]), format: 'der', type: 'pkcs8' })
  try {
    return unseal(wrappingKey(key, share, share, rawPublic(createPublicKey(key))), Buffer.alloc(12), body)
  } catch {
    // For somebody else.
    return null
  }
}

/** Encrypts or decrypts the chunks of a payload, one after the other; `last` says that none follows. */
export function openPayload(
  fileKey: Buffer,
  nonce: Buffer,
): Record<'seal' | 'unseal', (chunk: Buffer, last: boolean) => Buffer> {
  const key = derive(fileKey, nonce, 'payload')
  let count = 0n
  const next = (last: boolean): Buffer => {
    const counter = Buffer.alloc(12)
    counter.writeBigUInt64BE(count++, 3)
    counter[11] = last ? 1 : 0
    return counter
  }
  return {
    seal: (chunk, last) => seal(key, next(last), chunk),
    unseal: (chunk, last) => unseal(key, next(last), chunk),
  }
}
