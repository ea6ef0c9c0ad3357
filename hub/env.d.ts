/** A text file taken into the bundle as it is. */
declare module '*?raw' {
  const text: string
  export default text
}

/** Parts of undici. Its entry loads `fetch`, web sockets and caches as well, which is several times as much. */
declare module 'undici/lib/dispatcher/agent.js' {
  export { Agent as default } from 'undici'
}
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici'
}
declare module 'undici/lib/api/api-request.js' {
  import type { Dispatcher } from 'undici'
  /** `dispatcher.request()`, which undici's entry adds to its classes. */
  export default function request(
    this: Dispatcher,
    options: Dispatcher.RequestOptions,
  ): Promise<Dispatcher.ResponseData>
}
