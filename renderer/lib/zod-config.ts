import { z } from 'zod'

// Zod would compile its parsers with `new Function`, which the page's policy forbids. It asks when the first schema is
// made, so this runs before any other module of ours: main.ts imports it first, and the build keeps it beside zod.
z.config({ jitless: true })
