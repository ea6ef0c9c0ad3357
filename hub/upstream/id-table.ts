/**
 * What is in flight, by integer id. It is no Map: a Map that is filled and emptied all the time is rehashed all the time, and
 * each table that V8 leaves behind refers to the next. Once one of them is in the old generation, every call after it
 * survives until the next full collection: four times the work for the collector at 16 calls in flight.
 */
export class IdTable<T> {
  readonly #entries = Object.create(null) as Record<number, T | undefined>
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    return this.#entries[id]
  }

  set(id: number, entry: T): void {
    if (this.#entries[id] === undefined) this.#size++
    this.#entries[id] = entry
  }

  delete(id: number): void {
    if (this.#entries[id] === undefined) return
    this.#size--
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- what is left of a deleted element is not kept
    delete this.#entries[id]
  }

  /** The ids now, the oldest first. */
  keys(): number[] {
    return Object.keys(this.#entries).map(Number)
  }

  /** The entries now, the oldest first. */
  values(): T[] {
    return Object.values(this.#entries) as T[]
  }
}
