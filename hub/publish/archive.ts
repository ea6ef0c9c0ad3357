import { createReadStream } from 'node:fs'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { Header } from 'tar'
import type { Bundle, BundleEntry } from './bundle.ts'

const BLOCK = 512

export interface BundleArchive {
  /** Of the file: `mcp-hub-<release>.tar.gz`. */
  name: string
  writeTo: (destination: Writable) => Promise<void>
}

/**
 * The bundle as a `.tar.gz` with one folder in it. Entry by entry, so that it is never in memory as a whole, and without times
 * and owners: the same bundle gives the same bytes.
 */
export function archiveOf({ release, files }: Bundle): BundleArchive {
  const folder = `mcp-hub-${release}`
  return {
    name: `${folder}.tar.gz`,
    writeTo: (destination) => pipeline(Readable.from(blocksOf(files, folder)), createGzip(), destination),
  }
}

async function* blocksOf(files: readonly BundleEntry[], folder: string): AsyncGenerator<Buffer> {
  for (const file of files) {
    yield headerOf(`${folder}/${file.path}`, file)
    let bytes = 0
    for await (const chunk of contentOf(file)) {
      bytes += chunk.length
      yield chunk
    }
    // Its size and hash are in the manifest: another content must not pass as whole.
    if (bytes !== file.bytes) throw new Error(`${file.path} changed while it was packed`)
    yield Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK)
  }
  yield Buffer.alloc(2 * BLOCK)
}

function headerOf(path: string, { bytes, mode }: BundleEntry): Buffer {
  const header = new Header({ path, size: bytes, mode, type: 'File', mtime: new Date(0), uid: 0, gid: 0 })
  const block = Buffer.alloc(BLOCK)
  if (header.encode(block)) throw new Error(`${path} does not fit into the header of an archive`)
  return block
}

function contentOf(file: BundleEntry): AsyncIterable<Buffer> {
  return file.text === null ? createReadStream(file.source) : Readable.from([Buffer.from(file.text)])
}
