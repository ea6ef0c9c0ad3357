import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import tls, { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import type { TlsOptions } from '../../contract/index.ts'
import { say, told, type Said } from '../../say.ts'
import { UpstreamFailure } from '../channel.ts'

/** `hub.tls` with its references resolved and its files read. */
export type TlsMaterial = TlsOptions

const PEM_FIELDS = ['ca', 'cert', 'key'] as const

/** Reads what `hub.tls` names by path. Text in PEM, as a secret holds it, is taken as it is. */
export function readTlsMaterial(options: TlsOptions, baseDir: string): TlsMaterial {
  const material: TlsMaterial = { ...options }
  for (const field of PEM_FIELDS) {
    const value = options[field]
    if (value === undefined || value.includes('-----BEGIN ')) continue
    const file = resolve(baseDir, value.replace(/^~(?=[/\\])/, homedir()))
    try {
      material[field] = readFileSync(file, 'utf8')
    } catch (error) {
      throw refusal(
        say`hub.tls.${field} cannot be read: ${messageOf(error)}`,
        say`Correct the path, or its permissions.`,
      )
    }
  }
  return material
}

/** Node passes over an authority that it cannot read, and the connection would fail without a word of it. */
function checkCertificates(material: TlsMaterial): void {
  for (const field of ['ca', 'cert'] as const) if (material[field] !== undefined) new X509Certificate(material[field])
}

/** One context for all connections of a server: building one parses every authority there is. */
export function secureContextOf(material: TlsMaterial): SecureContext {
  try {
    checkCertificates(material)
    return createSecureContext({
      ...(material.ca === undefined ? {} : { ca: [...usualAuthorities(), material.ca] }),
      ...(material.cert === undefined ? {} : { cert: material.cert }),
      ...(material.key === undefined ? {} : { key: material.key }),
      ...(material.passphrase === undefined ? {} : { passphrase: material.passphrase }),
    })
  } catch (error) {
    throw refusal(
      say`hub.tls cannot be used: ${messageOf(error)}`,
      say`Give certificates and the key in PEM, the key that belongs to the certificate, and its passphrase if it has one.`,
    )
  }
}

/** `ca` of Node replaces the authorities that it trusts by itself; here it adds to them. */
function usualAuthorities(): readonly string[] {
  // Since Node 22.15; it knows NODE_EXTRA_CA_CERTS.
  return 'getCACertificates' in tls ? tls.getCACertificates('default') : rootCertificates
}

function refusal(message: Said, cure: Said): UpstreamFailure {
  return new UpstreamFailure(told({ code: 'tls', message, cure }), true)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
