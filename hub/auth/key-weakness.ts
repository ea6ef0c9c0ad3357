/** Known to anybody who read the guide or an example. */
const PLACEHOLDERS = /change[-_]?(this|me)|your[-_]super[-_]secret/i

/** Why a signing key is none; null when it will do. jose itself takes a key of five bytes. */
export function weaknessOfKey(key: string): string | null {
  if (Buffer.byteLength(key) < 32) return 'must have at least 32 characters'
  if (PLACEHOLDERS.test(key)) return 'is the placeholder of an example'
  return null
}
