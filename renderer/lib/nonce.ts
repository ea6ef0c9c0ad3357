/** The nonce of this answer, put into the page by whoever served it; libraries that write `<style>` need it. */
export function cspNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''
}
