/** The English of a wording, or another pattern for its parameters. */
export function fillIn(pattern: string, params: readonly string[]): string {
  return pattern.replace(/\{(\d+)\}/g, (whole, index: string) => params[Number(index)] ?? whole)
}
