const MIN_DELETED = 64

/**
 * A map for what comes and goes with each call. V8 rehashes a `Map` that is filled and emptied all the time, and each table
 * that it leaves behind keeps what was in it and refers to the next. Once one of them is in the old generation, every call
 * after it survives until the next full collection. So this one begins a new `Map` now and then, which no old one refers to.
 */
export class ChurnMap<K, V> {
  #map = new Map<K, V>()
  #deleted = 0

  get size(): number {
    return this.#map.size
  }

  has(key: K): boolean {
    return this.#map.has(key)
  }

  get(key: K): V | undefined {
    return this.#map.get(key)
  }

  set(key: K, value: V): void {
    this.#map.set(key, value)
  }

  delete(key: K): void {
    if (!this.#map.delete(key) || ++this.#deleted < Math.max(MIN_DELETED, this.#map.size)) return
    this.#map = new Map(this.#map)
    this.#deleted = 0
  }

  /** As they are now, the oldest first. */
  entries(): [K, V][] {
    return [...this.#map]
  }
}
