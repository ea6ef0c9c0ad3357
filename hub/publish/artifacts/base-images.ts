import type { Target } from '../../contract/publish.ts'

/** Where images of a bundle begin: a version each, because the newest of today is another one tomorrow. */
export const baseImages = {
  node: 'node:24.21.0-trixie-slim',
  nginx: 'nginx:1.30.6-trixie',
  python: 'python:3.13-slim-trixie',
} as const

/** With its digest where the target has one for this very version: what is fetched by a digest can be nothing else. */
export function pinned({ imageDigests }: Target, image: string): string {
  return imageDigests.find((reference) => reference.startsWith(`${image}@`)) ?? image
}
