/** Whether it is what Sentry calls a DSN: a URL with a public key as its user, that ends in the number of a project. */
export function isDsn(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, username, password, pathname } = new URL(value)
  return /^https?:$/.test(protocol) && /^\w+$/.test(username) && password === '' && /\/\d+$/.test(pathname)
}
