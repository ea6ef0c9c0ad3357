import { caseLimits, type CallResult } from '../../../../hub/contract/index.ts'
import { isObject, pretty } from '../../../lib/json.ts'

/** A result as it is kept and compared: the order of an object's keys means nothing. */
export function expectationOf({ result, error }: Pick<CallResult, 'result' | 'error'>): string {
  return pretty(sorted(error === null ? { result } : { error }))
}

/** Whether the hub would keep it. */
export const isKeepable = (expectation: string): boolean => expectation.length <= caseLimits.expectedLength

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}
