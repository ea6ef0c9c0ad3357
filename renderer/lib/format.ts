import { computed, getCurrentScope, type ComputedRef, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { useClock } from './clock.ts'

export interface Format {
  number: (value: number) => string
  /** Of a part of one: 0.5 is 50 %. */
  percent: (value: number) => string
  bytes: (value: number) => string
  duration: (ms: number) => string
  time: (at: number) => string
  dateTime: (at: number) => string
  /** `3 min ago`; follows the clock. */
  ago: (at: number) => string
  list: (items: readonly string[]) => string
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const
const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]

/** What is to come is rounded: of an hour that has just begun an hour is left, and not 59 minutes. */
function ahead(distance: number): [count: number, unit: Intl.RelativeTimeFormatUnit] {
  for (const [index, [unit, step]] of STEPS.entries()) {
    const finer = STEPS[index + 1]?.[1] ?? step
    const rounded = Math.round(distance / finer) * finer
    if (rounded >= step) return [Math.round(rounded / step), unit]
  }
  return [0, 'second']
}

interface Formatters {
  number: Intl.NumberFormat
  percent: Intl.NumberFormat
  time: Intl.DateTimeFormat
  dateTime: Intl.DateTimeFormat
  relative: Intl.RelativeTimeFormat
  list: Intl.ListFormat
  units: Map<string, Intl.NumberFormat>
}

/** Made once for a language: a list whose rows made their own would spend most of its time on that. */
const made = new Map<string, Formatters>()
function formattersOf(locale: string): Formatters {
  let known = made.get(locale)
  if (known === undefined) {
    known = {
      number: new Intl.NumberFormat(locale),
      percent: new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 }),
      time: new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false }),
      dateTime: new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }),
      relative: new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' }),
      list: new Intl.ListFormat(locale, { type: 'conjunction' }),
      units: new Map(),
    }
    made.set(locale, known)
  }
  return known
}

/** Chinese beside digits and Latin letters is set apart from them, as in our texts; the platform writes them together. */
const apart = (text: string): string => text.replace(/(?<=[\w)])(?=\p{Script=Han})|(?<=\p{Script=Han})(?=[\w(])/gu, ' ')

export function createFormat(locale: string, now: () => number): Format {
  const { number, percent, time, dateTime, relative, list, units } = formattersOf(locale)
  const spaced = locale.startsWith('zh') ? apart : (text: string): string => text
  function unit(value: number, name: string, maximumFractionDigits = 0): string {
    const key = `${name} ${maximumFractionDigits}`
    const format =
      units.get(key) ??
      new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits })
    units.set(key, format)
    return spaced(format.format(value))
  }

  return {
    number: (value) => number.format(value),
    percent: (value) => percent.format(value),
    bytes(value) {
      let size = value
      let step = 0
      while (size >= 1_000 && step < UNITS.length - 1) {
        size /= 1_000
        step++
      }
      // In English the platform has no sign for it, but `211 byte`.
      if (step === 0) return `${number.format(size)} B`
      return unit(size, UNITS[step] ?? 'byte', size < 10 ? 1 : 0)
    },
    duration(ms) {
      if (ms < 1) return unit(ms, 'millisecond', 2)
      if (ms < 1_000) return unit(Math.round(ms), 'millisecond')
      if (ms < 60_000) return unit(ms / 1_000, 'second', 1)
      if (ms < 3_600_000) return unit(ms / 60_000, 'minute', 1)
      return unit(ms / 3_600_000, 'hour', 1)
    },
    time: (at) => time.format(at),
    dateTime: (at) => dateTime.format(at),
    ago(at) {
      const distance = at - now()
      if (distance > 0) return spaced(relative.format(...ahead(distance)))
      const [name, ms] = STEPS.find(([, step]) => -distance >= step) ?? ['second', 1_000]
      return spaced(relative.format(Math.trunc(distance / ms), name))
    },
    list: (items) => spaced(list.format(items)),
  }
}

/** In the language of the page; whoever renders `ago` or a countdown is rendered again as time passes. */
export function useFormat(interval = 5_000): ComputedRef<Format> {
  const { locale } = useI18n()
  // Most who format show no time that passes: their clock does not run.
  const scope = getCurrentScope()
  let clock: ShallowRef<Date> | undefined
  const now = (): number => (clock ??= scope?.run(() => useClock(interval)))?.value.getTime() ?? Date.now()
  return computed(() => createFormat(locale.value, now))
}
