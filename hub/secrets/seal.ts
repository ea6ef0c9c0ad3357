import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { z } from 'zod'

/** A text encrypted with AES-256-GCM under a key that the operator gives. */
export const sealedSchema = z.strictObject({
  sealed: z.literal('aes-256-gcm'),
  salt: z.base64(),
  iv: z.base64(),
  tag: z.base64(),
  data: z.base64(),
})
export type Sealed = z.infer<typeof sealedSchema>

export function seal(text: string, key: string): Sealed {
  const salt = randomBytes(16)
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', derive(key, salt), iv)
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return {
    sealed: 'aes-256-gcm',
    salt: salt.toString('base64'),
    iv: iv.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    data: data.toString('base64'),
  }
}

/** Null when the key is another one, or the text was changed. */
export function unseal(sealed: Sealed, key: string): string | null {
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64')
  try {
    const decipher = createDecipheriv('aes-256-gcm', derive(key, bytes(sealed.salt)), bytes(sealed.iv), {
      authTagLength: 16,
    })
    decipher.setAuthTag(bytes(sealed.tag))
    return Buffer.concat([decipher.update(bytes(sealed.data)), decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}

/** The key is random and long (MCP_HUB_SECRETS_KEY has at least 32 characters), so a slow derivation would add nothing. */
function derive(key: string, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, 'mcp-hub secrets', 32))
}
