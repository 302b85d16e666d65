import { useLayoutEffect } from 'preact/hooks'
import type { PageProps } from '../lazy-page.tsx'
import { ConversationList } from '../mail/conversation-list.tsx'
import { ConversationPane } from '../mail/conversation-pane.tsx'
import { LaterButton } from '../mail/later.tsx'
import { NewMessage } from '../mail/new-message.tsx'
import { href } from '../router.ts'
import { who } from '../session.ts'
import { Icon } from '../ui/icon.tsx'
import { Empty } from '../ui/states.tsx'
import '../mail/mail.css'

/** `#/conversations` lists them, `#/conversations/OF/WITH` shows one, `#/conversations/new?to=NAME` is the form for a new message. */
export default function ConversationsPage({ parts, query }: PageProps) {
  const [of, other] = parts
  const isNew = of === 'new' && other === undefined
  const chosen = of !== undefined && other !== undefined ? ([of, other] as const) : undefined
  // The page fills the frame and scrolls inside. A class is cheaper than `:has()`, which is evaluated with each change.
  useLayoutEffect(() => {
    const { classList } = document.documentElement
    classList.add('filled')
    return () => classList.remove('filled')
  }, [])
  const isMember = who.value!.role !== 'admin'
  return (
    <div class={`mail ${chosen || isNew ? 'one' : 'all'}`}>
      <div class="mail-list">
        <header>
          {chosen ? <h2>Conversations</h2> : <h1>Conversations</h1>}
          <div class="actions">
            {isMember && <LaterButton />}
            {isMember && (
              <a class="button main" href={href('conversations', ['new'])}>
                <Icon name="plus" />
                New<span class="hidden"> message</span>
              </a>
            )}
          </div>
        </header>
        <ConversationList chosen={chosen} />
      </div>
      <div class="mail-one">
        {chosen ? (
          <ConversationPane key={chosen.join('/')} of={chosen[0]} other={chosen[1]} />
        ) : isNew && isMember ? (
          <NewMessage to={query.to} />
        ) : (
          <Empty icon="conversations" title="Select a conversation" />
        )}
      </div>
    </div>
  )
}
