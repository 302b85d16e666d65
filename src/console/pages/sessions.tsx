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
              {isAdmin ? 'End all' : 'End all of yours'}
            </Button>
          </>
        }
      >
        {isAdmin
          ? 'All browsers that are logged in.'
          : 'Browsers in which you are logged in. Only the admin sees those of others.'}{' '}
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
                  head: 'Who',
                  narrow: 'title',
                  cell: ({ name, role, current }) => (
                    <span class="row">
                      {role === 'admin' ? <b>admin</b> : <Name of={name} />}
                      {role === 'machine' && <Badge>machine</Badge>}
                      {current && <Badge tone="info">this one</Badge>}
                    </span>
                  ),
                },
                { head: 'Browser', cell: ({ browser }) => <Line max={80}>{browser}</Line> },
                { head: 'From', cell: ({ address }) => <Line max={64}>{address}</Line> },
                { head: 'Since', cell: ({ since }) => <Time at={since} as="moment" /> },
                { head: 'Last used', cell: ({ lastUsedAt }) => <Time at={lastUsedAt} /> },
                { head: 'Until', cell: ({ expiresAt }) => <Time at={expiresAt} as="clock" /> },
                {
                  head: 'End',
                  cell: each =>
                    each.current ? (
                      <span class="hint">log out above</span>
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
      <HowToGetIn role={me.role} />
      {endingAll.value && (
        <Confirm
          title={isAdmin ? 'End every session' : 'End every session of yours'}
          action="End them"
          onClose={() => (endingAll.value = false)}
          onDo={async () => {
            const { closed } = await call('consoleRevoke', { params: { id: 'all' } })
            toast(`${count(closed.length, 'session')} ended.`)
          }}
        >
          <p>This one too: you need a new link to come back.</p>
        </Confirm>
      )}
    </>
  )
}

/** Explains how to get a link for another browser. A session cannot make one, so that a stolen session cannot open others. */
function HowToGetIn({ role }: { role: string }) {
  return (
    <Panel title="Another browser, or a phone">
      <div class="stack">
        <p class="hint">
          Each link opens one browser, once, within 10 minutes. No session can make a link: whoever steals one cannot
          stay.
        </p>
        <ul class="lines">
          {role === 'admin' && (
            <>
              <li>
                <code>claude-net console</code> on the hub’s host opens it as the admin.
              </li>
              <li>
                <code>claude-net console --as NAME</code> there opens it as a member, such as a person without Telegram.
              </li>
            </>
          )}
          {role === 'human' && (
            <li>
              <code>/console</code> to the bot on Telegram, in your private chat; or ask the admin for{' '}
              <code>claude-net console --as NAME</code>.
            </li>
          )}
          {role === 'machine' && (
            <li>
              <code>claude-net console --as-me</code> on the machine.
            </li>
          )}
        </ul>
      </div>
    </Panel>
  )
}
