import { wordingOfIssue } from '../../hub/contract/index.ts'
import { inWords } from './hub-text.ts'

/** What a schema finds wrong, which the page and the hub check alike. */
export function issueText(issue: { message: string }): string {
  return inWords(wordingOfIssue(issue)) ?? issue.message
}
