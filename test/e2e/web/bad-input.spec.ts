import { expect, test } from './fixtures.ts'

interface Wrong {
  /** By its label. */
  field: string
  /** What somebody types, and what the field then says: why it cannot be, and what can. */
  texts: readonly (readonly [string, RegExp])[]
  /** What only the hub can tell: the other fields are filled in and it is sent. */
  sent?: Readonly<Record<string, string>>
}
interface Form {
  route: string
  /** The button that opens it in a dialog. */
  opens?: string
  submit: string
  fields: readonly Wrong[]
}

const letters = (count: number): string => 'x'.repeat(count)
const tooLong = (max: number): readonly [string, RegExp] => [
  letters(max + 1),
  new RegExp(`This has ${max + 1} characters, and at most ${max} are possible. Shorten it.`),
]
const forms: Readonly<Record<string, Form>> = {
  'a new server': {
    route: '/servers/add?from=command',
    submit: 'Add server',
    fields: [
      {
        field: 'Name',
        texts: [
          ['a/b', /may not contain \/ \\ \? # % or control characters/],
          ['..', /may not be \. or \.\. or begin or end with a space/],
          [letters(129), /has at most \d+ characters/],
        ],
      },
    ],
  },
  'a server': {
    route: '/servers/everything/settings',
    submit: 'Review and save',
    fields: [
      { field: 'Description', texts: [tooLong(500)] },
      { field: 'Call timeout without progress (ms)', texts: [['0', /Too small/]] },
      { field: 'Failed starts before giving up', texts: [['1.5', /expected int/]] },
    ],
  },
  'a profile': {
    route: '/profiles',
    opens: 'New profile',
    submit: 'Create',
    fields: [
      { field: 'Name', texts: [['a?b', /may not contain/]] },
      { field: 'Description', texts: [tooLong(500)] },
    ],
  },
  'a user': {
    route: '/access/users',
    opens: 'New user',
    submit: 'Create user',
    fields: [
      { field: 'Name', texts: [['with/slash', /A name has no \//], tooLong(100)] },
      {
        field: 'Password',
        texts: [['short', /has 5 characters; it needs 12\. A few words/]],
        sent: { Name: 'somebody' },
      },
    ],
  },
  'a key': {
    route: '/access/keys',
    opens: 'New key',
    submit: 'Create key',
    fields: [{ field: 'Name', texts: [tooLong(100)] }],
  },
  'a deploy key': {
    route: '/access/keys',
    opens: 'New deploy key',
    submit: 'Create code',
    fields: [
      { field: 'Name', texts: [tooLong(100)] },
      {
        field: 'Days that the key lasts',
        texts: [
          ['0', /A whole number from 1 to 365/],
          ['366', /A whole number from 1 to 365/],
        ],
      },
    ],
  },
  'a secret': {
    route: '/settings',
    opens: 'Add secret',
    submit: 'Save',
    fields: [{ field: 'Name', texts: [['1st', /begin with a letter/], tooLong(128)] }],
  },
  'a webhook': {
    route: '/settings',
    opens: 'Add webhook',
    submit: 'Save',
    fields: [
      { field: 'Name', texts: [['Ops!', /Only small letters, digits and -/], tooLong(63)] },
      { field: 'Address', texts: [['ftp://hooks.example.com', /https/]], sent: { Name: 'ops' } },
    ],
  },
  'what is published': {
    route: '/publish',
    submit: 'Download archive',
    fields: [
      { field: 'Domain', texts: [['10.0.0.1', /A domain name such as hub\.example\.com, not an IP address/]] },
      { field: 'Instances', texts: [['65', /A whole number from 1 to 64/]] },
    ],
  },
}

test('what cannot be is said at its field, with the cause and what can be, and stays as it was typed', async ({
  admin: page,
}) => {
  test.setTimeout(180_000)
  for (const [what, { route, opens, submit, fields }] of Object.entries(forms))
    await test.step(what, async () => {
      await page.goto(route)
      // Where there is nothing yet, a second one stands in the list's place.
      if (opens !== undefined)
        await page.getByRole('main').getByRole('button', { name: opens, exact: true }).first().click()
      const form = opens === undefined ? page.getByRole('main') : page.getByRole('dialog')
      const button = form.getByRole('button', { name: submit, exact: true })
      const details = form.locator('details:not([open]) > summary').filter({ hasText: 'timeouts and limits' })
      await expect(form.getByLabel(fields[0]!.field, { exact: true })).toBeAttached()
      if ((await details.count()) > 0) await details.click()
      for (const { field, texts, sent } of fields)
        for (const [text, message] of texts) {
          const input = form.getByLabel(field, { exact: true })
          const before = await input.inputValue()
          for (const [other, value] of Object.entries(sent ?? {}))
            await form.getByLabel(other, { exact: true }).fill(value)
          await input.fill(text)
          if (sent !== undefined) await button.click()
          await expect(input, field).toHaveAccessibleDescription(message)
          await expect(input).toHaveAttribute('aria-invalid', 'true')
          await expect(input).toHaveValue(text)
          if (sent === undefined) await expect(button).toBeDisabled()
          await input.fill(before)
        }
    })
})

test('who is made a viewer in the middle of an edit is refused with the reason, keeps what was typed, and can save it no more', async ({
  admin: page,
  browser,
  hub,
}) => {
  const headers = { origin: hub.url }
  const [first, password] = ['first long password', 'another quite long one']
  await page.request.post('/api/users', { headers, data: { name: 'second', role: 'admin', password: first } })
  const context = await browser.newContext({ baseURL: hub.url })
  await context.request.post('/api/auth/login', { headers, data: { username: 'second', password: first } })
  await context.request.post('/api/auth/password', { headers, data: { current: first, next: password } })
  const theirs = await context.newPage()
  await theirs.goto('/servers/broken/settings')
  await theirs.getByText('Description, start, timeouts and limits').click()
  const description = theirs.getByLabel('Description', { exact: true })
  await description.fill('what was typed')
  await theirs.getByRole('button', { name: 'Review and save' }).click()
  const review = theirs.getByRole('dialog', { name: 'Save these changes?' })
  await expect(review.getByRole('region', { name: 'Changes' })).toContainText('what was typed')
  const narrowed = await page.request.put('/api/users/second', { headers, data: { role: 'viewer' } })
  expect(narrowed.status()).toBe(200)

  // Whoever's role is another signs in again.
  const dialog = theirs.getByRole('dialog', { name: 'Your session has ended' })
  await dialog.getByLabel('Password').fill(password)
  await dialog.getByRole('button', { name: 'Sign in' }).click()
  await expect(dialog).toBeHidden()
  // What was looked at before is sent all the same: it is the hub that refuses it.
  await review.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(review.getByRole('alert')).toContainText('second (viewer) lacks the permission servers:write')
  await expect(review.getByRole('region', { name: 'Changes' })).toContainText('what was typed')
  await review.getByRole('button', { name: 'Cancel' }).click()
  await expect(theirs.getByText('Only an administrator can change this.')).toBeVisible()
  await expect(description).toHaveValue('what was typed')
  await expect(description).toBeDisabled()

  await theirs.reload()
  await expect(theirs.getByText('Only an administrator can change this.')).toBeVisible()
  await expect(theirs.getByRole('button', { name: 'Review and save' })).toHaveCount(0)
  await context.close()
  await page.request.delete('/api/users/second', { headers })
})
