import { isBehind } from '../../protocol/client-version.ts'
import { checkoutInWords, doingInWords } from '../../text/activity.ts'
import { Badge } from '../ui/badge.tsx'
import { Panel } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'
import { Table } from '../ui/table.tsx'
import { Line } from '../ui/text.tsx'
import { now, Time } from '../ui/time.tsx'
import type { Listed } from './directory.ts'

/** The sessions of a machine and their work, as the machine reports them, unverified. */
export function SessionsPanel({ member, hubVersion }: { member: Listed; hubVersion: string | undefined }) {
  const { sessions, sessionCount = sessions.length } = member
  return (
    <Panel title="Sessions" flush>
      {sessions.length === 0 ? (
        <Empty icon="sessions" title="No running sessions">
          Messages wait in its inbox.
        </Empty>
      ) : (
        <Table
          caption={`Sessions of ${member.name}`}
          rows={sessions}
          keyOf={({ session }) => session}
          columns={[
            {
              head: 'Project',
              narrow: 'title',
              cell: ({ project }) => (project === undefined ? '–' : <Line max={64}>{project}</Line>),
            },
            { head: 'Branch', cell: session => <Line max={64}>{checkoutInWords(session) || '–'}</Line> },
            {
              head: 'Activity',
              cell: session => (
                <>
                  <Line max={200}>{doingInWords(session, now.value) || '–'}</Line>
                  {session.status !== undefined && (
                    <span class="said hint">
                      <Line max={100}>{session.status}</Line>
                    </span>
                  )}
                </>
              ),
            },
            {
              head: 'Client',
              cell: ({ client }) => (
                <>
                  <Line max={60}>{client}</Line>{' '}
                  {hubVersion !== undefined && isBehind(client, hubVersion) && (
                    <Badge tone="warn">older than the hub</Badge>
                  )}
                </>
              ),
            },
            { head: 'Started', cell: ({ since }) => <Time at={since} as="moment" /> },
          ]}
        />
      )}
      {sessionCount > sessions.length && <p class="inset hint">and {sessionCount - sessions.length} more</p>}
    </Panel>
  )
}

/** The projects of a machine, as it reports them. Draws nothing if it has none. */
export function ProjectsPanel({ member: { name, projects = [], projectCount = projects.length } }: { member: Listed }) {
  if (projects.length === 0) return null
  return (
    <Panel title="Projects" flush>
      <Table
        caption={`Projects of ${name}`}
        rows={projects}
        keyOf={project => project.name}
        columns={[
          { head: 'Project', narrow: 'title', cell: project => <Line max={64}>{project.name}</Line> },
          { head: 'Sessions', number: true, cell: ({ sessions }) => String(sessions) },
          { head: 'Last seen', cell: ({ lastSeenAt }) => (lastSeenAt === null ? '–' : <Time at={lastSeenAt} />) },
        ]}
      />
      {projectCount > projects.length && <p class="inset hint">and {projectCount - projects.length} more</p>}
    </Panel>
  )
}
