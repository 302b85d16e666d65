import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { AuditLine } from '../../protocol/audit.ts'
import { call } from '../api.ts'
import type { PageProps } from '../lazy-page.tsx'
import { AdminsOnly } from '../people/admins-only.tsx'
import { detailOf, sinceOf, spansOf, toneOf } from '../people/audit-words.ts'
import '../people/people.css'
import { go } from '../router.ts'
import { who } from '../session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Field, Select } from '../ui/field.tsx'
import { Name } from '../ui/name.tsx'
import { PageHead, Panel } from '../ui/panel.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { toastError } from '../ui/toast.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { VirtualList } from '../ui/virtual-list.tsx'

/** `#/audit?actor=&action=&target=&since=` */
export default function AuditPage({ query }: PageProps) {
  if (who.value!.role !== 'admin')
    return (
      <>
        <PageHead title="Audit" />
        <AdminsOnly what="the audit" />
      </>
    )
  return <Audit query={query} />
}

function Audit({ query: { actor = '', action = '', target = '', since = '' } }: { query: PageProps['query'] }) {
  const filters = {
    actor: actor.trim() || undefined,
    action: action.trim() || undefined,
    target: target.trim() || undefined,
  }
  const first = useAsk(
    async signal => {
      // A typed name is requested once typing pauses.
      await new Promise(resolve => setTimeout(resolve, 250))
      signal.throwIfAborted()
      return call('listAudit', { query: { ...filters, since: sinceOf(since, Date.now()) }, signal })
    },
    [actor, action, target, since],
  )
  const narrow = (change: Record<string, string>) =>
    go('audit', [], { actor, action, target, since, ...change }, { replace: true })
  const isNarrowed = [actor, action, target, since].some(Boolean)
  return (
    <>
      <PageHead title="Audit" actions={<Button onClick={first.reload}>Refresh</Button>}>
        Who did what to whom, newest first: changes, logins and refusals.
      </PageHead>
      <Panel flush class="audit">
        <div class="filters">
          <Field
            label="Actor"
            bare
            type="search"
            placeholder="Actor"
            value={actor}
            onInput={value => narrow({ actor: value })}
          />
          <Field
            label="Action"
            bare
            type="search"
            placeholder="Action"
            value={action}
            onInput={value => narrow({ action: value })}
          />
          <Field
            label="Target"
            bare
            type="search"
            placeholder="Target"
            value={target}
            onInput={value => narrow({ target: value })}
          />
          <Select label="Time range" bare value={since} onInput={value => narrow({ since: value })} options={spansOf} />
        </div>
        <Loaded asked={first} rows={10} what="the audit">
          {({ lines, more }) =>
            lines.length === 0 ? (
              <Empty icon="audit" title={isNarrowed ? 'No matching lines' : 'The audit is empty'}>
                {isNarrowed && (
                  <Button onClick={() => narrow({ actor: '', action: '', target: '', since: '' })}>
                    Clear filters
                  </Button>
                )}
              </Empty>
            ) : (
              <Lines key={`${lines[0]!.id}`} lines={lines} more={more} filters={filters} since={since} />
            )
          }
        </Loaded>
      </Panel>
    </>
  )
}

/** The lines; older ones are loaded as the reader comes near the end. */
function Lines({
  lines,
  more,
  filters,
  since,
}: {
  lines: readonly AuditLine[]
  more: number
  filters: Record<string, string | undefined>
  since: string
}) {
  const older = useSignal<readonly AuditLine[]>([])
  const left = useSignal(more)
  const isLoading = useSignal(false)
  const all = useMemo(() => [...lines, ...older.value], [lines, older.value])
  const load = async () => {
    if (isLoading.value || left.value === 0) return
    isLoading.value = true
    try {
      const query = { ...filters, since: sinceOf(since, Date.now()), before: all.at(-1)!.id }
      const answer = await call('listAudit', { query })
      older.value = [...older.value, ...answer.lines]
      left.value = answer.lines.length === 0 ? 0 : answer.more
    } catch (error) {
      toastError(error)
    }
    isLoading.value = false
  }
  return (
    <VirtualList
      class="audit-list"
      items={all}
      keyOf={({ id }) => id}
      estimate={62}
      label={`Audit, ${all.length} lines${left.value > 0 ? ` of ${all.length + left.value}` : ''}`}
      onNearEnd={() => void load()}
    >
      {line => <Entry line={line} />}
    </VirtualList>
  )
}

function Entry({ line }: { line: AuditLine }) {
  const { at, actor, action, target, result, tokenId, address } = line
  const detail = detailOf(line)
  return (
    <div class="audit-line">
      <Time at={at} as="moment" />
      <div class="what">
        <p class="row">
          <Who name={actor} />
          <b class="action">{action}</b>
          {target !== null && <Who name={target} />}
          {result !== 'ok' && <Badge tone={toneOf(result)}>{result.replaceAll('_', ' ')}</Badge>}
        </p>
        <p class="hint">
          {detail !== '' && (
            <>
              <Line max={300}>{detail}</Line>
              {' · '}
            </>
          )}
          {address === null ? 'from an unknown address' : <Line max={64}>{`from ${address}`}</Line>}
          {tokenId !== null && <Line max={64}>{` with ${tokenId}`}</Line>}
        </p>
      </div>
    </div>
  )
}

/** Links to a member's page. The admin, and a name that was only claimed, may have none. */
function Who({ name }: { name: string | null }) {
  if (name === null) return <span class="hint">unknown</span>
  if (name === 'admin') return <span class="name">admin</span>
  return <Name of={name} />
}
