import { Said, type Words } from '../../say.ts'

/**
 * What the scripts of `ops/` tell of their steps. They run on the target, perhaps as another release has them: what is not
 * among these is shown as it comes.
 */
export const scriptCodes: readonly string[] = [
  // deploy.sh
  'Looking at release {0} and at this machine',
  'The bundle is whole, and nothing is missing here.',
  'Comparing the configuration',
  'It is in the database and stays as it is: change it in the web UI, or over the API.',
  'The configuration here stays as it is.',
  'Comes into force: {0}',
  'Keeping what is there',
  'Nothing is there yet.',
  'The backup failed, so nothing was changed. The reason is above.',
  'Completing {0}',
  'Turning {0} to {1}',
  'Before: {0}.',
  'Starting the hubs',
  '{0} on {1}, run by {2}.',
  'The hubs could not be started. The reason is above.',
  'nginx does not take the site. The reason is above.',
  'Waiting until they are healthy',
  'Each is ready and stays.',
  'The new release did not become healthy.',
  'Trying what people and clients do',
  'It runs, but does not do what it should. The reason is above.',
  'Health, sign-in page, MCP in both eras, events and headers are right.',
  'Putting back what was in force before',
  '{0} runs again. What went wrong is told above, and in {1}.',
  '{0} was put back, but is not healthy either: see {1}.',
  'Nothing was there before: the hubs were stopped. What went wrong is told above, and in {0}.',
  // What a deploy and a roll-back look at first
  'The bundle in {0} is damaged. Upload it again; nothing was changed.',
  'The certificate is missing: put it and its key where the bundle says, {0} and {1}.',
  'The disk of {0} has {1} MB left, and 200 MB are needed. Make room there.',
  'Port {0} is in use: ss -ltnp shows by whom. End that, or publish with another --base-port.',
  'Since the last publish somebody else changed {0} here. Nothing was done. Look at the difference, then give --config keep or --config replace.',
  '{0} is missing on this machine. {1}',
  'nginx here is {0}, and this bundle is for {1} or later. Install that, or publish for an older one (--nginx).',
  'This needs root: sudo bash {0}',
  'Another deploy, rollback or restore is under way here. Wait until it has ended.',
  'The configuration is refused by release {0}. Mend what is named above; nothing was changed.',
  // rollback.sh
  'From {0} to {1}',
  '{0} is in use. {1}',
  'That release did not become healthy.',
  // smoke.sh
  'Trying {0}',
  'Metrics are public.',
]

const patterns = scriptCodes.map((code) => ({
  code,
  pattern: new RegExp(`^${RegExp.escape(code).replaceAll(/\\\{\d\\\}/g, '(.+?)')}$`, 's'),
}))

/** A message of a script with what it was made of, where this program knows it. */
export function wordsOfScript(message: string): Words {
  for (const { code, pattern } of patterns) {
    const match = pattern.exec(message)
    if (match !== null) return new Said(code, match.slice(1).map(wordsOfScript))
  }
  return message
}
