import { createHash } from 'node:crypto'
import { Writable } from 'node:stream'
import { archiveOf } from '../archive.ts'
import type { Bundle } from '../bundle.ts'
import { CONFIG_FILES, type ConfigFile } from './inspect.ts'

/** A bundle as the archive that is uploaded. */
export interface Packed {
  bundle: Bundle
  /** The same bytes each time, so that an upload can go on where it ended. */
  content: Buffer
  sha256: string
  /** Of all its files, unpacked. */
  unpackedBytes: number
}

export async function pack(bundle: Bundle): Promise<Packed> {
  const chunks: Buffer[] = []
  const collect = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk)
      done()
    },
  })
  await archiveOf(bundle).writeTo(collect)
  const content = Buffer.concat(chunks)
  const unpackedBytes = bundle.files.reduce((sum, { bytes }) => sum + bytes, 0)
  return { bundle, content, sha256: hashOf(content), unpackedBytes }
}

export const hashOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

/** Texts of the configuration in a bundle. */
export function publishedFiles({ files }: Bundle): ReadonlyMap<ConfigFile, string> {
  return new Map(
    CONFIG_FILES.flatMap((name): [ConfigFile, string][] => {
      const text = files.find(({ path }) => path === `config/${name}`)?.text
      return typeof text === 'string' ? [[name, text]] : []
    }),
  )
}
