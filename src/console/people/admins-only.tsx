import { who } from '../session.ts'
import { Empty } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'

/** Placeholder for content that only an admin may see: why it is hidden and how to get access. `what` begins a sentence. */
export function AdminsOnly({ what }: { what: string }) {
  const me = who.value
  return (
    <Empty icon="lock" title={`${what} for the admin`}>
      <p>
        You are logged in as <Line max={64}>{me?.name ?? ''}</Line>, and see your own messages
        {me?.role === 'human' ? ', your machines and their messages' : ''} and your sessions.
      </p>
      <p>
        The admin gets in with <code>claude-net console</code> on the hub’s host.
      </p>
    </Empty>
  )
}
