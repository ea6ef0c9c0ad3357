import { z } from 'zod'
import { parseJsonc } from '../config/jsonc.ts'
import { secretValueSchema } from '../contract/index.ts'
import { BrokenFile } from '../faults.ts'
import { saidOfIssue, say, told } from '../say.ts'
import { broken } from './broken-secrets.ts'
import { sealedSchema, unseal } from './seal.ts'

const contentSchema = z.record(z.string(), secretValueSchema)

/** The secrets in the text of a secrets file. Throws BrokenFile. */
export function parseSecrets(text: string, path: string, key: string | null): Map<string, string> {
  const parsed = parseJsonc(text, path)
  // A fault never quotes the text: it is made of secrets.
  if (!parsed.ok) throw new BrokenFile(parsed.faults)
  const sealed = sealedSchema.safeParse(parsed.value.value)
  if (!sealed.success) return contentOf(parsed.value.value, path)
  if (key === null)
    throw broken(path, say`It is encrypted, and MCP_HUB_SECRETS_KEY is not set`, {
      cure: say`Set MCP_HUB_SECRETS_KEY to the key that it was written with.`,
    })
  const opened = unseal(sealed.data, key)
  if (opened === null)
    throw broken(path, say`MCP_HUB_SECRETS_KEY does not open it`, {
      cure: say`Set MCP_HUB_SECRETS_KEY to the key that it was written with, or move the file away and set the secrets anew.`,
    })
  return contentOf(JSON.parse(opened), path)
}

function contentOf(value: unknown, path: string): Map<string, string> {
  const content = contentSchema.safeParse(value)
  if (content.success) return new Map(Object.entries(content.data))
  throw new BrokenFile(
    content.error.issues.map((issue) =>
      told({
        file: path,
        path: issue.path.map(String).join('.'),
        line: null,
        column: null,
        message: saidOfIssue(issue),
        cure: say`The file is one object: each key a secret’s name, each value a text.`,
      }),
    ),
  )
}
