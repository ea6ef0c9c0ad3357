import { crc32, deflateSync } from 'node:zlib'

export interface Image {
  readonly size: number
  /** Red, green, blue, alpha for each pixel, row by row. */
  readonly pixels: Uint8Array
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}

/** https://www.w3.org/TR/png-3/: 8 bits for each of four channels, no filter. */
export function encodePng({ size, pixels }: Image): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(size, 0)
  header.writeUInt32BE(size, 4)
  header.set([8, 6, 0, 0, 0], 8)
  const rows: Buffer[] = []
  for (let y = 0; y < size; y += 1)
    rows.push(Buffer.from([0]), Buffer.from(pixels.subarray(y * size * 4, (y + 1) * size * 4)))
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** A Windows icon that holds a PNG for each size. */
export function encodeIco(images: readonly Image[]): Buffer {
  const files = images.map((image) => ({ size: image.size, data: encodePng(image) }))
  const directory = Buffer.alloc(6 + 16 * files.length)
  directory.writeUInt16LE(1, 2)
  directory.writeUInt16LE(files.length, 4)
  let offset = directory.length
  for (const [index, { size, data }] of files.entries()) {
    const at = 6 + 16 * index
    // 256 does not fit in a byte and is written as 0.
    directory.writeUInt8(size % 256, at)
    directory.writeUInt8(size % 256, at + 1)
    directory.writeUInt16LE(1, at + 4)
    directory.writeUInt16LE(32, at + 6)
    directory.writeUInt32LE(data.length, at + 8)
    directory.writeUInt32LE(offset, at + 12)
    offset += data.length
  }
  return Buffer.concat([directory, ...files.map(({ data }) => data)])
}
