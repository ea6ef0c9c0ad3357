import { looksLikeSecret } from '../config/secret-patterns.ts'

/** Lines shorter than this of a value of many lines say nothing by themselves. */
const MIN_LINE = 12
const MIN_BASE64 = 8

/** A value in every form in which programs write it into logs and messages. */
export function secretForms(value: string): string[] {
  const forms = new Set<string>()
  for (const part of partsOf(value.toWellFormed())) {
    const quoted = inner(part)
    for (const form of [part, quoted, inner(quoted), quoted.replaceAll('/', '\\/')]) forms.add(form)
    for (const form of urlForms(part)) forms.add(form)
    for (const form of base64Forms(part)) forms.add(form)
  }
  return [...forms]
}

/** A log shows a key of many lines line by line, and a key file may be printed field by field. */
function partsOf(value: string): string[] {
  const trimmed = value.trim()
  const lines = trimmed.includes('\n')
    ? trimmed
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.length >= MIN_LINE && !line.startsWith('-----'))
    : []
  const fields = trimmed.startsWith('{') ? fieldsOf(trimmed) : []
  return [value, trimmed, ...(fields.length > 0 ? fields : lines)]
}

function fieldsOf(text: string): string[] {
  try {
    return Object.entries(JSON.parse(text) as Record<string, unknown>).flatMap(([key, field]) =>
      typeof field === 'string' && looksLikeSecret(key, field) ? partsOf(field) : [],
    )
  } catch {
    return []
  }
}

function inner(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function urlForms(text: string): string[] {
  const component = encodeURIComponent(text)
  const form = new URLSearchParams({ '': text }).toString().slice(1)
  return [component, form, encodeURI(text)].flatMap((encoded) => [
    encoded,
    encoded.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
  ])
}

/**
 * Base64 of the value, alone or inside something longer such as `user:password`: what comes before moves it by nought, one or
 * two bytes, and only the characters that it fills by itself are certain.
 */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text)
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
    const core = encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
    return core.length < MIN_BASE64 ? [] : [core, core.replaceAll('+', '-').replaceAll('/', '_')]
  })
}
