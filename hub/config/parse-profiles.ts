import { profilesFileSchema, type ProfilesFile } from '../contract/index.ts'
import type { Parsed } from './jsonc.ts'
import { parseWith } from './schema-faults.ts'

/** `profiles.json` as text. */
export function parseProfilesFile(text: string, file: string | null): Parsed<ProfilesFile> {
  return parseWith(profilesFileSchema, text, file)
}
