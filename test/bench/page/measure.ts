import type { CDPSession, Page } from 'playwright'
import type { Input, Interaction, Opening, Shown } from './interactions.ts'

/** What one interaction cost, in milliseconds. */
export interface Cost {
  /** CPU time of the main thread from the event until the page is idle again. */
  work: number
  /** The same by the clock: on a busy machine also what the thread waited for its turn. */
  tasks: number
  /** The longest of them; 0 where none took the 50 ms from which the browser tells of it. */
  longest: number
  /** From the event until the frame that answers to it, as the browser's event timing has it; rounded to 8 ms. */
  paint: number
}

const SHOWN_MS = 10_000

/** What the page is asked to note of itself, before anything is done to it. */
function observe(): void {
  const noted = { longest: 0, paint: 0 }
  Object.assign(window, { noted })
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) noted.longest = Math.max(noted.longest, duration)
  }).observe({ type: 'longtask' })
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      // Those without are no interactions: hovering, and the like.
      if ((entry as PerformanceEventTiming & { interactionId: number }).interactionId > 0)
        noted.paint = Math.max(noted.paint, entry.duration)
  }).observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit)
}

/**
 * In the page: waits until it shows what it should, and tells when by `performance.now()`. It looks seldom where work is measured:
 * looking is work, too, and so is each frame that is asked for.
 */
function whenShown({ shown, limit, everyMs }: { shown: Shown; limit: number; everyMs: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const end = performance.now() + limit
    const look = (): void => {
      const there = [...document.querySelectorAll(shown.selector)].some(
        ({ textContent }) => shown.text === undefined || textContent.includes(shown.text),
      )
      if (there) resolve(performance.now())
      else if (performance.now() > end) reject(new Error(`${JSON.stringify(shown)} did not come`))
      else setTimeout(look, everyMs)
    }
    look()
  })
}

/** In the page: waits until nothing is on its way and nothing is left to do. */
async function whenIdle(limit: number): Promise<{ longest: number; paint: number }> {
  const end = performance.now() + limit
  let asked = -1
  for (let quiet = 0; quiet < 4;) {
    if (performance.now() > end) throw new Error('the page does not come to rest')
    await new Promise((resolve) => setTimeout(resolve, 100))
    const now = performance.getEntriesByType('resource').length
    quiet = now === asked ? quiet + 1 : 0
    asked = now
  }
  return (window as unknown as { noted: { longest: number; paint: number } }).noted
}

/** What the browser has counted of the main thread so far, in milliseconds. */
async function counted(session: CDPSession): Promise<{ cpu: number; tasks: number }> {
  const { metrics } = await session.send('Performance.getMetrics')
  const of = (name: string): number => (metrics.find((metric) => metric.name === name)?.value ?? NaN) * 1_000
  return { cpu: of('ThreadTime'), tasks: of('TaskDuration') }
}

/** Finds where to press first, so that the search for it is no work that counts. */
async function aim(page: Page, input: Input): Promise<() => Promise<void>> {
  if ('key' in input) return () => page.keyboard.press(input.key)
  const target = page.locator('click' in input ? input.click : input.over).first()
  await target.scrollIntoViewIfNeeded()
  const box = await target.boundingBox()
  if (box === null) throw new Error(`${JSON.stringify(input)} hits nothing`)
  const [x, y] = [box.x + Math.min(box.width / 2, 30), box.y + box.height / 2]
  await page.mouse.move(x, y)
  return 'click' in input ? () => page.mouse.click(x, y) : () => page.mouse.wheel(0, input.wheel)
}

export async function measureInteraction(page: Page, session: CDPSession, interaction: Interaction): Promise<Cost> {
  const { from, ready, before = [], input, shown } = interaction
  await page.goto(from, { waitUntil: 'commit' })
  await page.evaluate(whenShown, { shown: ready, limit: SHOWN_MS, everyMs: 100 })
  for (const key of before) await page.keyboard.press(key)
  const act = await aim(page, input)
  await page.evaluate(observe)
  await page.evaluate(whenIdle, SHOWN_MS)
  const begun = await counted(session)
  await act()
  await page.evaluate(whenShown, { shown, limit: SHOWN_MS, everyMs: 100 })
  const { longest, paint } = await page.evaluate(whenIdle, SHOWN_MS)
  const done = await counted(session)
  return { work: done.cpu - begun.cpu, tasks: done.tasks - begun.tasks, longest, paint }
}

/** From the navigation until the screen shows what it is opened for, by the page's own clock. */
export async function measureOpening(page: Page, { path, shown }: Opening): Promise<number> {
  await page.goto(path, { waitUntil: 'commit' })
  const at = await page.evaluate(whenShown, { shown, limit: SHOWN_MS, everyMs: 10 })
  await page.evaluate(observe)
  await page.evaluate(whenIdle, SHOWN_MS)
  return at
}
