import { useEffect } from 'preact/hooks'
import { ago } from '../../text/spans.ts'
import { visibleLine } from '../../text/visible.ts'
import { href } from '../router.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { Name } from '../ui/name.tsx'
import { Line } from '../ui/text.tsx'
import { now, Time } from '../ui/time.tsx'
import { Body } from './body.tsx'
import type { Shown } from './conversation.ts'
import { noteSeen } from './read-marks.ts'
import type { Row } from './threads.ts'
import { isUnreadBy, standing } from './words.ts'

interface MessageRowProps {
  row: Row<Shown>
  /** The two members of the conversation: its owner, and the other. */
  of: string
  other: string
  /** Whether `of` is the reader. */
  isOwn: boolean
  /** The first words of the message that this answers, if the row shows them. */
  quoted?: string | undefined
  onReply?: ((message: Shown) => void) | undefined
  onAck?: ((message: Shown) => Promise<unknown>) | undefined
}

/** One message of a conversation. */
export function MessageRow({ row, of, other, isOwn, quoted, onReply, onAck }: MessageRowProps) {
  const { message, isAnswer, startsThread, quotes } = row
  const isFromOf = message.from === of
  const isUnread = isUnreadBy(message, of)
  const own = message.receipts.find(({ name }) => name === of)
  useEffect(() => {
    if (isOwn && isUnread && own?.status === 'stored') noteSeen(message.id)
  }, [message.id])
  const waitsForOf =
    !isFromOf &&
    message.intent !== 'inform' &&
    own !== undefined &&
    own.answeredAt === undefined &&
    own.status !== 'expired'
  const stands = isFromOf || own === undefined ? standing(message, now.value) : undefined
  return (
    <article
      class={`message ${isAnswer ? 'answer' : ''} ${startsThread ? 'starts' : ''} ${isFromOf ? 'mine' : ''} ${isUnread ? 'unread' : ''}`}
    >
      <header>
        <Name of={message.from} project={message.fromProject} />
        <Recipients of={message} me={of} other={other} />
        <Intent of={message} />
        {isUnread && <Badge tone="warn">unread</Badge>}
        {message.held && <Badge tone="warn">held for the user</Badge>}
        <a class="when" href={href('messages', [message.id])}>
          <Time at={message.sentAt} as="moment" />
          <span class="hidden">: message details</span>
        </a>
        <span class="grow" />
        {onReply && message.fromKind !== 'hub' && (
          <Button look="plain" icon="reply" onClick={() => onReply(message)}>
            {isFromOf ? 'Follow up' : 'Answer'}
          </Button>
        )}
        {onAck && isUnread && (
          <Button look="plain" icon="check" onClick={() => onAck(message)}>
            Ack
          </Button>
        )}
      </header>
      {quotes !== undefined && (
        <a class="quote" href={href('messages', [quotes])}>
          <Icon name="reply" size={14} />
          <Line max={90}>{quoted ?? 'another message'}</Line>
        </a>
      )}
      <Body of={message} />
      {(stands || own?.answeredAt !== undefined || waitsForOf) && (
        <footer>
          {stands && (
            <a class={`standing ${stands.tone}`} href={href('messages', [message.id])}>
              {stands.words}
            </a>
          )}
          {!stands && own?.answeredAt !== undefined && (
            <a class="standing good" href={href('messages', [own.answerId ?? message.id])}>
              answered {ago(Date.parse(own.answeredAt), now.value)}
            </a>
          )}
          {!stands && waitsForOf && <span class="standing info">waiting for {isOwn ? 'your' : 'an'} answer</span>}
        </footer>
      )}
    </article>
  )
}

/** The recipients, if they are not evident: a group, several, a project. */
function Recipients({ of: { from, to }, me, other }: { of: Shown; me: string; other: string }) {
  const plain = to.length === 1 && (to[0] === me || to[0] === other)
  if (plain || to.length === 0) return null
  const names = visibleLine(to.join(', '), 120)
  return (
    <span class="hint to">
      <span aria-hidden="true">→ </span>
      <span class="hidden">from {from === me ? me : from} to </span>
      <bdi>{names}</bdi>
    </span>
  )
}

export function Intent({ of: { intent } }: { of: Pick<Shown, 'intent'> }) {
  if (intent === 'urgent') return <Badge tone="bad">urgent</Badge>
  return intent === 'request' ? <Badge tone="info">request</Badge> : null
}
