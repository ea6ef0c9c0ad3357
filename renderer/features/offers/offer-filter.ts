/** What a prompt and a resource have in common, for a list of them. */
export interface Offer {
  readonly server: string
  readonly key: string
  readonly label: string
  /** Its name or URI, when the label is another. */
  readonly id: string
  readonly description: string | null
  readonly note: string
  readonly to: { name: string; params: Record<string, string>; query?: Record<string, string> }
}

export function filterOffers(offers: readonly Offer[], text: string, server: string): Offer[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return offers
    .filter((offer) => {
      if (server !== '' && offer.server !== server) return false
      const haystack = `${offer.server} ${offer.label} ${offer.id} ${offer.description ?? ''}`.toLowerCase()
      return words.every((word) => haystack.includes(word))
    })
    .toSorted((a, b) => a.server.localeCompare(b.server) || a.label.localeCompare(b.label))
}
