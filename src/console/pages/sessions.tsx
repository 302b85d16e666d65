import { useSignal } from '@preact/signals'
import type { ConsoleSession } from '../../protocol/console.ts'
import { count } from '../../text/spans.ts'
import { call } from '../api.ts'
import type { PageProps } from '../lazy-page.tsx'
import { useReloadEvery } from '../people/use-reload.ts'
import '../people/people.css'
import { leave, who } from '../session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/dialog.tsx'
import { Name } from '../ui/name.tsx'
import { PageHead, Panel } from '../ui/panel.tsx'
import { Loaded } from '../ui/states.tsx'
import { Table } from '../ui/table.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import { useAsk } from '../ui/use-ask.ts'

/** `#/sessions` */
export default function SessionsPage(_: PageProps) {
  const me = who.value!
  const isAdmin = me.role === 'admin'
  const sessions = useAsk(signal => call('consoleSessions', { signal }), [])
  useReloadEvery(30_000, sessions.reload)
  const endingAll = useSignal(false)
  const end = async ({ id, name, browser }: ConsoleSession) => {
    await call('consoleRevoke', { params: { id } })
    toast(`The session of ${name} in ${browser} has ended.`)
    sessions.reload()
  }
  return (
    <>
      <PageHead
        title="Sessions"
        actions={
          <>
            <Button icon="out" onClick={leave}>
              Log out
            </Button>
            <Button look="danger" onClick={() => (endingAll.value = true)}>
              {isAdmin ? 'End all sessions' : 'End all my sessions'}
            </Button>
          </>
        }
      >
        {isAdmin
          ? 'All browsers that are logged in.'
          : 'Browsers in which you are logged in. Only the admin sees the sessions of others.'}{' '}
        A session lasts 12 hours.
      </PageHead>
      <Panel flush class="sessions">
        <Loaded asked={sessions} what="the list of sessions">
          {({ sessions: all }) => (
            <Table
              caption="Sessions of the console"
              rows={all}
              keyOf={({ id }) => id}
              columns={[
                {
                  head: 'Member',
                  narrow: 'title',
                  cell: ({ name, role, current }) => (
                    <span class="row">
                      {role === 'admin' ? <b>admin</b> : <Name of={name} />}
                      {role === 'machine' && <Badge>machine</Badge>}
                      {current && <Badge tone="info">this browser</Badge>}
                    </span>
                  ),
                },
                { head: 'Browser', cell: ({ browser }) => <Line max={80}>{browser}</Line> },
                { head: 'Address', cell: ({ address }) => <Line max={64}>{address}</Line> },
                { head: 'Logged in', cell: ({ since }) => <Time at={since} as="moment" /> },
                { head: 'Last used', cell: ({ lastUsedAt }) => <Time at={lastUsedAt} /> },
                { head: 'Expires', cell: ({ expiresAt }) => <Time at={expiresAt} as="clock" /> },
                {
                  head: 'Action',
                  cell: each =>
                    each.current ? (
                      <span class="hint">use Log out</span>
                    ) : (
                      <Button onClick={() => end(each)}>
                        End<span class="hidden"> the session of {each.name}</span>
                      </Button>
                    ),
                },
              ]}
            />
          )}
        </Loaded>
      </Panel>
      <HowToLogIn role={me.role} />
      {endingAll.value && (
        <Confirm
          title={isAdmin ? 'End all sessions' : 'End all my sessions'}
          action="End all"
          onClose={() => (endingAll.value = false)}
          onDo={async () => {
            const { closed } = await call('consoleRevoke', { params: { id: 'all' } })
            toast(`${count(closed.length, 'session')} ended.`)
          }}
        >
          <p>This includes your current session. To log in again you need a new link.</p>
        </Confirm>
      )}
    </>
  )
}

/** Explains how to get a link for another browser. A session cannot create one, so that a stolen session cannot open others. */
function HowToLogIn({ role }: { role: string }) {
  return (
    <Panel title="Log in on another browser or phone">
      <div class="stack">
        <p class="hint">
          A link logs in one browser, once, within 10 minutes. A session cannot create links, so a stolen session cannot
          be extended.
        </p>
        <ul class="lines">
          {role === 'admin' && (
            <>
              <li>
                As the admin, run <code>claude-net console</code> on the hub’s host.
              </li>
              <li>
                For another member, such as a person without Telegram, run <code>claude-net console --as NAME</code>{' '}
                there, and pass the link on.
              </li>
            </>
          )}
          {role === 'human' && (
            <li>
              Send <code>/console</code> to the bot in a private chat on Telegram, or ask the admin to run{' '}
              <code>claude-net console --as NAME</code>.
            </li>
          )}
          {role === 'machine' && (
            <li>
              Run <code>claude-net console --as-me</code> on the machine.
            </li>
          )}
        </ul>
      </div>
    </Panel>
  )
}
