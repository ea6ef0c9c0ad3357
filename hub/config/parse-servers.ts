import { z } from 'zod'
import {
  serverConfigSchemaFor,
  serverNameSchema,
  serversFileSchema,
  type Fault,
  type ServersFile,
} from '../contract/index.ts'
import { saidOfIssue, say } from '../say.ts'
import { fault, parseJsonc, positionOf, type Parsed, type Position } from './jsonc.ts'
import { faultsOf } from './schema-faults.ts'
import { prefixCollisions } from './server-names.ts'

/** `servers.json` as text. Comments and trailing commas are allowed. */
export function parseServersFile(text: string, file: string | null): Parsed<ServersFile> {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const faults: Fault[] = []
  const { root, value } = parsed.value
  const where = (path: (string | number)[]): Position => positionOf(text, root, path)

  const outer = serversFileSchema.extend({ mcpServers: z.record(z.string(), z.unknown()) }).safeParse(value)
  if (!outer.success) return { ok: false, faults: faultsOf(outer.error, [], serversFileSchema, file, where) }
  for (const [name, entry] of Object.entries(outer.data.mcpServers)) {
    const path = ['mcpServers', name]
    const named = serverNameSchema.safeParse(name)
    if (!named.success)
      faults.push(
        fault(
          file,
          path,
          where(path),
          saidOfIssue(named.error.issues[0] ?? { message: 'bad name' }),
          say`Rename the server.`,
        ),
      )
    const schema = serverConfigSchemaFor(entry)
    const result = schema.safeParse(entry)
    if (!result.success) faults.push(...faultsOf(result.error, path, schema, file, where))
  }
  faults.push(...prefixCollisions(Object.keys(outer.data.mcpServers), file, where))
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: value as ServersFile }
}
