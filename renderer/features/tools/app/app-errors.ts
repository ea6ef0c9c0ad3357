import { ApiError } from '../../../lib/problem.ts'

/** What is wrong with an app, in the form in which every failure is shown: cause, cure, and a code to report. */
export function appError(
  kind: string,
  about: { server: string; uri: string },
  message: string,
  cure: string,
): ApiError {
  const code = `APP_${kind.toUpperCase()}`
  return new ApiError({ kind: 'problem', code, request: `${about.server} ${about.uri}`, message, cure })
}
