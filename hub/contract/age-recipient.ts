import { z } from 'zod'

const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
/** "age", as the checksum counts it. */
const PREFIX = [3, 3, 3, 0, 1, 7, 5]

/** Bech32 (BIP 173): a key that was mistyped or cut off has another checksum. */
function isWhole(key: string): boolean {
  let sum = 1
  for (const value of [...PREFIX, ...Array.from(key.slice(4), (letter) => LETTERS.indexOf(letter))]) {
    const top = sum >>> 25
    sum = ((sum & 0x1ffffff) << 5) ^ value
    GENERATORS.forEach((generator, bit) => {
      if ((top >>> bit) & 1) sum ^= generator
    })
  }
  return sum === 1
}

/** A public key of age. Whoever has the private one reads what is encrypted for it. */
export const ageRecipientSchema = z
  .string()
  .regex(/^age1[02-9ac-hj-np-z]{58}$/, 'a public key of age: age1 and 58 letters and digits, as age-keygen prints it')
  .refine(isWhole, 'a public key of age; this one was mistyped, its checksum is wrong')
