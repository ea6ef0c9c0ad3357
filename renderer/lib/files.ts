/** A name that every file system takes. */
export const fileName = (text: string): string => text.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
}
