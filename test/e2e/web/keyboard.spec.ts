import { expect, test } from './fixtures.ts'

test('everything is reached without a mouse', async ({ admin: page }) => {
  await page.goto('/')
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible()

  await test.step('the first tab stop skips to the content', async () => {
    await page.keyboard.press('Tab')
    await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(page.getByRole('main')).toBeFocused()
  })

  await test.step('g s goes to the servers, j and k walk their rows, Enter opens one', async () => {
    await page.keyboard.press('g')
    await page.keyboard.press('s')
    await expect(page).toHaveURL(/\/servers$/)
    await expect(page.getByRole('row', { name: /everything/ })).toBeVisible()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await expect(page.getByRole('row', { name: /everything/ })).toBeFocused()
    await page.keyboard.press('k')
    await expect(page.getByRole('row', { name: /broken/ })).toBeFocused()
    await page.keyboard.press('Space')
    await expect(page.getByRole('checkbox', { name: 'Select broken' })).toBeChecked()
    await page.keyboard.press('End')
    await page.keyboard.press('Enter')
    await expect(page).toHaveURL(/\/servers\/everything$/)
  })

  await test.step('what an icon is for shows with the focus, and its menu opens and closes by keys', async () => {
    const more = page.getByRole('button', { name: 'More actions for everything' })
    await page.getByRole('button', { name: 'Restart' }).focus()
    await page.keyboard.press('Tab')
    await expect(more).toBeFocused()
    const tooltip = page.getByRole('tooltip', { name: 'More actions for everything' })
    await expect(tooltip).toBeVisible()
    await expect(more).toHaveAccessibleDescription('More actions for everything')
    await page.keyboard.press('Escape')
    await expect(tooltip).toBeHidden()
    for (const key of ['Enter', 'ArrowDown']) {
      await page.keyboard.press(key)
      await expect(page.getByRole('menuitem').first()).toBeFocused()
      await page.keyboard.press('Escape')
      await expect(page.getByRole('menu')).toBeHidden()
      await expect(more).toBeFocused()
    }
  })

  await test.step('the palette finds a tool, and closing it gives the focus back', async () => {
    await page.getByRole('link', { name: 'Logs' }).focus()
    await page.keyboard.press('Control+k')
    await expect(page.getByRole('dialog', { name: 'Find anything' })).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(page.getByRole('link', { name: 'Logs' })).toBeFocused()
    await page.keyboard.press('Control+k')
    await page.keyboard.type('echo')
    await expect(page.getByRole('option').first()).toContainText('Echo')
    await page.keyboard.press('Enter')
    await expect(page).toHaveURL(/\/tools\/everything\/echo$/)
  })

  await test.step('Ctrl+Enter runs the tool from its field', async () => {
    await page.getByLabel('message').focus()
    await page.keyboard.type('by hand')
    await page.keyboard.press('Control+Enter')
    await expect(page.getByRole('region', { name: 'Result' })).toContainText('Echo: by hand')
  })

  await test.step('the editor lets Tab out', async () => {
    await page.getByRole('textbox', { name: 'Arguments as JSON' }).focus()
    await page.keyboard.press('Tab')
    await expect(page.getByRole('button', { name: 'Run' })).toBeFocused()
  })

  await test.step('? shows the shortcuts and / filters', async () => {
    await page.goto('/servers')
    await expect(page.getByRole('row', { name: /everything/ })).toBeVisible()
    await page.keyboard.press('?')
    await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toContainText('Next row')
    await page.keyboard.press('Escape')
    await page.keyboard.press('/')
    await page.keyboard.type('brok')
    await expect(page.getByRole('row')).toHaveCount(2)
    await page.keyboard.press('Escape')
    await expect(page.getByRole('searchbox')).toHaveValue('')
  })

  await test.step('the palette finds pages below others', async () => {
    await page.keyboard.press('Control+k')
    await page.keyboard.type('backups')
    await page.keyboard.press('Enter')
    await expect(page).toHaveURL(/\/settings\/backups$/)
  })

  await test.step('the palette changes the theme', async () => {
    await page.keyboard.press('Control+k')
    await page.keyboard.type('theme dark')
    await page.keyboard.press('Enter')
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
  })
})
