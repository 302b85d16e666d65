import { who } from '../session.ts'
import { Empty } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'

/** Placeholder for content that only an admin may see: why it is hidden and how to get access. */
export function AdminsOnly({ what }: { what: string }) {
  const me = who.value
  return (
    <Empty icon="lock" title={`Only the admin can see ${what}`}>
      <p>
        You are logged in as <Line max={64}>{me?.name ?? ''}</Line>. You can see your own messages
        {me?.role === 'human' ? ', those of your machines,' : ''} and your sessions.
      </p>
      <p>
        The admin logs in with <code>claude-net console</code> on the hub’s host.
      </p>
    </Empty>
  )
}
