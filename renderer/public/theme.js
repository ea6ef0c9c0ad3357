// A classic script: modules run after the first paint. Keep the key in step with lib/preferences.ts.
try {
  const theme = localStorage.getItem('mcp-hub.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage can be forbidden; the system's theme is then used.
}
