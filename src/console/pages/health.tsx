import { useSignal } from '@preact/signals'
import type { StatusAnswer } from '../../protocol/status.ts'
import { bytesInWords } from '../../text/bytes.ts'
import { hubStateInWords } from '../../text/hubs.ts'
import { presenceInWords } from '../../text/presence.ts'
import { count, largestUnit } from '../../text/spans.ts'
import { call } from '../api.ts'
import type { PageProps } from '../lazy-page.tsx'
import { AdminsOnly } from '../people/admins-only.tsx'
import { ConcernItems, Item } from '../people/concerns.tsx'
import { LoadPanel } from '../people/load-panel.tsx'
import { problemsOf } from '../people/problems.ts'
import { useReloadEvery, useReloadOn } from '../people/use-reload.ts'
import '../people/people.css'
import { who } from '../session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { Name } from '../ui/name.tsx'
import { Facts, PageHead, Panel } from '../ui/panel.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Table } from '../ui/table.tsx'
import { Line } from '../ui/text.tsx'
import { now, Time } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import { useAsk } from '../ui/use-ask.ts'

/** Interval of requests while the page is visible, in ms. */
const everyMs = 10_000

/** `#/health` */
export default function HealthPage(_: PageProps) {
  if (who.value!.role !== 'admin')
    return (
      <>
        <PageHead title="Health" />
        <AdminsOnly what="the health of the hub" />
      </>
    )
  return <Health />
}

function Health() {
  const status = useAsk(signal => call('status', { signal }), [])
  const concerns = useAsk(async signal => {
    const { brakes, sharedTokens, damaged } = await call('listMachines', { signal })
    return { brakes, sharedTokens, damaged }
  }, [])
  useReloadEvery(everyMs, status.reload)
  useReloadEvery(6 * everyMs, concerns.reload)
  useReloadOn(['members'], concerns.reload)
  return (
    <Loaded asked={status} rows={12} what="the health of the hub">
      {figures => (
        <>
          <PageHead title="Health" actions={<BackupButton reload={status.reload} />}>
            Claude Net {figures.version}, started <Time at={figures.startedAt} />
          </PageHead>
          <Worries figures={figures} concerns={concerns.value.value} reload={concerns.reload} />
          <div class="columns">
            <div class="stack wide-gap">
              <StorePanel {...figures} />
              {figures.load && <LoadPanel load={figures.load} />}
              <MembersPanel {...figures} />
            </div>
            <div class="stack wide-gap">
              <BackupPanel {...figures} />
              {figures.hubs && <HubsPanel hubs={figures.hubs} />}
              <DoorPanel {...figures} />
              {figures.telegram && <TelegramPanel telegram={figures.telegram} />}
            </div>
          </div>
          <InboxesPanel {...figures} />
        </>
      )}
    </Loaded>
  )
}

function Worries({
  figures,
  concerns,
  reload,
}: {
  figures: StatusAnswer
  concerns: Parameters<typeof ConcernItems>[0]['concerns'] | undefined
  reload: () => void
}) {
  const problems = problemsOf(figures, now.value)
  const others = concerns ? concerns.brakes.length + concerns.sharedTokens.length + Number(concerns.damaged) : 0
  if (problems.length + others === 0) {
    return (
      <p class="well" role="status">
        <Icon name="check" /> No problems. A test write succeeded.
      </p>
    )
  }
  return (
    <Panel title={count(problems.length + others, 'problem')} flush>
      <ul class="problems">
        {problems.map(({ tone, found, mend }) => (
          <Item key={found} tone={tone} found={<Line>{found}</Line>} mend={mend} />
        ))}
        {concerns && <ConcernItems concerns={concerns} reload={reload} />}
      </ul>
    </Panel>
  )
}

function StorePanel({ ready, store, clock }: StatusAnswer) {
  return (
    <Panel title="Store">
      <Facts
        of={[
          ['Writes', ready ? <Badge tone="good">accepted</Badge> : <Badge tone="bad">refused</Badge>],
          ['Size', bytesInWords(store.bytes)],
          ['Free space', bytesInWords(store.freeBytes)],
          ['Newest entry', <span class="number">{store.seq.toLocaleString('en')}</span>],
          ['Schema', String(store.schema)],
          ['Epoch', <code>{store.epoch}</code>],
          [
            'Clock',
            clock ? (
              <>
                was {clock.atStart ? 'off by' : 'set by'} {clock.byMs < 0 ? '−' : '+'}
                {largestUnit(Math.abs(clock.byMs))} <Time at={clock.at} />
                {clock.steps > 1 && `, ${clock.steps} times in total`}
              </>
            ) : (
              'no changes since the start'
            ),
          ],
        ]}
      />
    </Panel>
  )
}

function HubsPanel({ hubs }: { hubs: NonNullable<StatusAnswer['hubs']> }) {
  const lagOf = ({ lag, version }: (typeof hubs.hubs)[number]) =>
    lag == null ? version : `${version}, ${lag === 0 ? 'up to date' : `${count(lag, 'record')} behind`}`
  return (
    <Panel title="Hubs">
      <Facts of={hubs.hubs.map(hub => [hub.name, `${hubStateInWords(hub)}; ${lagOf(hub)}`])} />
    </Panel>
  )
}

function BackupPanel({ lastBackup, tail }: StatusAnswer) {
  return (
    <Panel title="Backups">
      <Facts
        of={[
          [
            'Last',
            lastBackup ? (
              <>
                <Time at={lastBackup.at} />, {bytesInWords(lastBackup.bytes)}
              </>
            ) : (
              'none yet'
            ),
          ],
          ['Tail', tail ? tailInWords(tail) : 'none; set backup.logTo in hub.json to a directory on another disk'],
        ]}
      />
    </Panel>
  )
}

function tailInWords({ behind, behindMs, bytes }: NonNullable<StatusAnswer['tail']>): string {
  const place =
    behind === 0
      ? 'up to date'
      : `${count(behind, 'entry', 'entries')} and ${largestUnit(Math.max(1000, behindMs))} behind`
  return `${place}, ${bytesInWords(bytes)}`
}

function BackupButton({ reload }: { reload: () => void }) {
  const isMaking = useSignal(false)
  return (
    <Button
      disabled={isMaking.value}
      onClick={async () => {
        isMaking.value = true
        try {
          const { bytes } = await call('makeBackup')
          toast(`A backup of ${bytesInWords(bytes)} was made and verified.`)
          reload()
        } finally {
          isMaking.value = false
        }
      }}
    >
      {isMaking.value ? 'Backing up…' : 'Back up now'}
    </Button>
  )
}

function MembersPanel({
  members: { machines, onlineMachines, humans, onlineHumans, services },
  behind,
  nearBounds,
}: StatusAnswer) {
  return (
    <Panel title="Members">
      <Facts
        of={[
          ['Machines', `${machines}, ${onlineMachines} online`],
          ['People', `${humans}, ${onlineHumans} online`],
          ['Services', services > 0 && String(services)],
          [
            'Outdated clients',
            behind.length === 0 ? (
              'none'
            ) : (
              <ul class="lines">
                {behind.map(({ name, clients }) => (
                  <li key={name}>
                    <Name of={name} /> <Line max={100}>{clients.join(', ')}</Line>
                  </li>
                ))}
              </ul>
            ),
          ],
          [
            'Near a limit',
            nearBounds.length === 0 ? (
              'none'
            ) : (
              <ul class="lines">
                {nearBounds.map(({ bound, name, percent }) => (
                  <li key={`${bound} ${name}`} class="bound">
                    <Name of={name} />
                    <meter
                      min={0}
                      max={100}
                      high={95}
                      low={80}
                      optimum={0}
                      value={percent}
                      aria-label={`${bound} of ${name}`}
                    />
                    <span class="hint">
                      {percent} % of its {bound === 'inbox' ? 'inbox' : 'daily limit'}
                    </span>
                  </li>
                ))}
              </ul>
            ),
          ],
        ]}
      />
    </Panel>
  )
}

const plainRules = {
  allow: 'accepted from every network that the hub serves',
  loopback: 'accepted from the hub’s host only',
  refuse: 'refused',
}

function DoorPanel({ hubKey, plain }: StatusAnswer) {
  return (
    <Panel title="Access">
      <Facts
        of={[
          ['Key', hubKey === null ? <Badge tone="warn">none</Badge> : <code>{hubKey}</code>],
          ['Plain HTTP', plain && plainRules[plain.from]],
          [
            'Without TLS',
            plain &&
              (plain.members.length === 0 ? (
                'no member in the last 24 hours'
              ) : (
                <ul class="lines">
                  {plain.members.slice(0, 10).map(({ name, lastAt, isRemote }) => (
                    <li key={name}>
                      {name === 'admin' ? <b>admin</b> : <Name of={name} />} <Time at={lastAt} />
                      {!isRemote && <span class="hint"> from the hub’s host</span>}
                    </li>
                  ))}
                  {plain.members.length > 10 && <li class="hint">and {plain.members.length - 10} more</li>}
                </ul>
              )),
          ],
        ]}
      />
    </Panel>
  )
}

function TelegramPanel({ telegram }: { telegram: NonNullable<StatusAnswer['telegram']> }) {
  const { bot, lastPollAt, waiting, unconfirmed, carriedBy } = telegram
  return (
    <Panel title="Telegram">
      <Facts
        of={[
          ['Run by', carriedBy && `the hub ${carriedBy}`],
          ['Bot', carriedBy === undefined && (bot === null ? 'no response yet' : <Line max={64}>{`@${bot}`}</Line>)],
          ['Last response', lastPollAt && <Time at={lastPollAt} />],
          ['Waiting', waiting === 0 ? 'none' : count(waiting, 'message')],
          ['Unconfirmed', unconfirmed.length > 0 && unconfirmed.join(', ')],
        ]}
      />
    </Panel>
  )
}

function InboxesPanel({ inboxes, moreInboxes, unread }: StatusAnswer) {
  return (
    <Panel title={unread === 0 ? 'Unread messages' : `Unread messages · ${unread.toLocaleString('en')}`} flush>
      {inboxes.length === 0 ? (
        <Empty title="No unread messages" />
      ) : (
        <Table
          caption="Inboxes with the oldest unread messages"
          rows={inboxes}
          keyOf={({ name }) => name}
          columns={[
            { head: 'Inbox', narrow: 'title', cell: ({ name }) => <Name of={name} /> },
            { head: 'Unread', number: true, cell: ({ unread }) => unread.toLocaleString('en') },
            { head: 'Oldest', cell: ({ oldestAt }) => <Time at={oldestAt} /> },
            { head: 'State', cell: ({ online, lastSeenAt }) => presenceInWords({ online, lastSeenAt }, now.value) },
          ]}
        />
      )}
      {moreInboxes > 0 && (
        <p class="inset hint">and {count(moreInboxes, 'more inbox', 'more inboxes')} with unread messages</p>
      )}
    </Panel>
  )
}
