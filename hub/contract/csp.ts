/** Stands in the built index.html wherever the nonce of a response belongs. */
export const NONCE_PLACEHOLDER = '__NONCE__'

/**
 * The policy under which the management UI runs, on the desktop and on the web. `dev` lets Vite's client reach its server
 * and write its styles.
 */
export function contentSecurityPolicy(nonce: string, options: { dev?: boolean } = {}): string {
  const { dev = false } = options
  return [
    "default-src 'none'",
    `script-src 'self'`,
    dev ? "style-src 'self' 'unsafe-inline'" : `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    'media-src data:',
    "font-src 'self'",
    dev ? "connect-src 'self' ws://127.0.0.1:*" : "connect-src 'self'",
    "worker-src 'self'",
    // The frame of an app (`app-frame.ts`); nothing else of ours lets itself be framed.
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}
