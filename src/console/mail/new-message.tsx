import { useEffect } from 'preact/hooks'
import { go, href } from '../router.ts'
import { who } from '../session.ts'
import { Icon } from '../ui/icon.tsx'
import { Compose } from './compose.tsx'
import { memberCalled, useDirectory } from './directory.ts'
import { OutgoingRow } from './outgoing-row.tsx'
import { onStored, outgoing } from './sends.ts'
import { useDraft } from './use-draft.ts'

/** Form for a message to anybody. Once it is stored, its conversation is shown, or the message itself if it has several recipients. */
export function NewMessage({ to }: { to?: string | undefined }) {
  const kept = useDraft('new', to)
  useDirectory()
  useEffect(() => {
    if (to !== undefined && to !== '' && kept.draft.peek().to === '') kept.change({ to })
  }, [to])
  useEffect(
    () =>
      onStored((place, { id, at, recipients }) => {
        if (place !== 'new' || outgoing.peek().some(item => item.place === 'new')) return
        const [only] = recipients
        if (at !== undefined) go('conversations')
        else if (recipients.length === 1 && only)
          go('conversations', [who.peek()!.name, memberCalled(only.name)?.name ?? only.name])
        else go('messages', [id])
      }),
    [],
  )
  const sending = outgoing.value.filter(({ place }) => place === 'new')
  return (
    <section class="conversation new" aria-label="New message">
      <header class="conversation-head">
        <a class="button plain icon-only back" href={href('conversations')} title="All conversations">
          <Icon name="back" />
          <span class="hidden">All conversations</span>
        </a>
        <h1>New message</h1>
      </header>
      <div class="new-body">
        <Compose kept={kept} />
        {sending.map(item => (
          <OutgoingRow key={item.request.id} item={item} onTaken={kept.change} />
        ))}
      </div>
    </section>
  )
}
