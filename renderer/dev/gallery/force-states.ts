const shown = { ':hover': '[data-show~="hover"]', ':focus-visible': '[data-show~="focus"]' }

/**
 * Has an element with `data-show="hover"` look as if the pointer were on it, and one with `data-show="focus"` as if it had
 * the focus, all at once: each rule for such a state is made to hold for the attribute too.
 */
export function forceStates(): void {
  for (const sheet of document.styleSheets) forceIn(sheet.cssRules)
}

function forceIn(rules: CSSRuleList): void {
  for (const rule of rules) {
    if (rule instanceof CSSStyleRule) {
      const selector = rule.selectorText
      const more = Object.entries(shown)
        .filter(([state, attribute]) => selector.includes(state) && !selector.includes(attribute))
        .map(([state, attribute]) => selector.replaceAll(state, attribute))
      if (more.length > 0) rule.selectorText = [selector, ...more].join(', ')
    }
    if (rule instanceof CSSGroupingRule || rule instanceof CSSStyleRule) forceIn(rule.cssRules)
  }
}
