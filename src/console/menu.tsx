import { useSignal } from '@preact/signals'
import { keysShown } from './keyboard.tsx'
import { allowNotifications, notifications, whyNoNotifications } from './notify.ts'
import { href } from './router.ts'
import { leave, who } from './session.ts'
import { theme } from './theme.ts'
import { Button } from './ui/button.tsx'
import { Check, Choice } from './ui/field.tsx'
import { Line } from './ui/text.tsx'
import { Time } from './ui/time.tsx'

const themes = [
  ['system', 'System'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const

/** The menu of the logged-in member: theme, notifications, keyboard shortcuts, logout. */
export function Menu() {
  const isOpen = useSignal(false)
  const me = who.value!
  const close = () => document.getElementById('menu')!.hidePopover()
  return (
    <>
      <button type="button" class="me" popovertarget="menu" aria-expanded={isOpen.value}>
        <Line max={40}>{me.name}</Line>
        <span class="hidden">: menu</span>
        <span class="initial" aria-hidden="true">
          {[...me.name][0]}
        </span>
      </button>
      <div id="menu" class="menu" popover="auto" onToggle={event => (isOpen.value = event.newState === 'open')}>
        <p>
          Logged in as{' '}
          <b>
            <Line max={64}>{me.name}</Line>
          </b>
          <span class="hint">
            {' '}
            ({me.role === 'human' ? 'person' : me.role}) until <Time at={me.expiresAt} as="clock" />
          </span>
        </p>
        <Choice label="Theme" value={theme.value} onInput={value => (theme.value = value)} options={themes} />
        <Check
          label="Notifications while this tab is hidden"
          hint={whyNoNotifications.value}
          checked={notifications.value}
          disabled={whyNoNotifications.value !== undefined}
          onInput={on => void allowNotifications(on)}
        />
        <div class="actions">
          <Button
            onClick={() => {
              close()
              keysShown.value = true
            }}
          >
            Shortcuts
          </Button>
          <a class="button" href={href('sessions')} onClick={close}>
            Sessions
          </a>
          <Button onClick={leave}>Log out</Button>
        </div>
        <p class="hint">Claude Net {me.version}</p>
      </div>
    </>
  )
}
