import { useSignal } from '@preact/signals'
import type { Ref } from 'preact'
import { useRef } from 'preact/hooks'
import { bytesInWords } from '../../text/bytes.ts'
import { readMoment } from '../../text/moment.ts'
import { momentInWords } from '../../text/zone.ts'
import { who } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Field, Select } from '../ui/field.tsx'
import { Icon } from '../ui/icon.tsx'
import { Line } from '../ui/text.tsx'
import { now } from '../ui/time.tsx'
import { bytesOf, type Draft, maxBytes, requestOf, type Wrong } from './draft.ts'
import { draftsLast } from './drafts.ts'
import { newId } from './new-id.ts'
import { RecipientsField } from './recipients-field.tsx'
import { send } from './sends.ts'
import type { KeptDraft } from './use-draft.ts'

interface ComposeProps {
  kept: KeptDraft
  /** Fixed recipients, those of a conversation. If absent, they are typed. */
  to?: string
  /** The first words of the message being answered, if any. */
  answers?: string | undefined
  inputRef?: Ref<HTMLInputElement & HTMLTextAreaElement>
}

const intents = [
  ['', 'Default intent'],
  ['request', 'Request: needs an answer'],
  ['inform', 'Inform: needs no answer'],
  ['urgent', 'Urgent: needs attention now'],
] as const

const answerIntents = [
  ['', 'Answer'],
  ['request', 'Answer with a request'],
  ['urgent', 'Urgent answer'],
] as const

/** Form for a message: text, intent, time to send it and expiry. The draft is stored in the browser. */
export function Compose({ kept, to, answers, inputRef }: ComposeProps) {
  const draft = kept.draft.value
  const wrong = useSignal<Wrong>({})
  const isMore = useSignal(draft.at !== '' || draft.expires !== '')
  const form = useRef<HTMLFormElement>(null)
  const clock = { now: now.value, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone }
  const bytes = bytesOf(draft.body)
  const isAnswer = draft.replyTo !== undefined

  const change = (part: Partial<Draft>) => {
    wrong.value = {}
    kept.change(part)
  }

  const submit = (event?: Event) => {
    event?.preventDefault()
    const written = { ...kept.draft.peek(), ...(to !== undefined && !kept.draft.peek().to && { to }) }
    const request = requestOf(written, newId(), { ...clock, now: Date.now() })
    if ('wrong' in request) {
      wrong.value = request.wrong
      if (request.wrong.at || request.wrong.expires) isMore.value = true
      requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus())
      return
    }
    // The text moves from the form to the list of sends in one step, so that a second click sends nothing.
    send(request, kept.place)
    kept.clear()
    isMore.value = false
  }

  return (
    <form class="compose" ref={form} onSubmit={submit} aria-label="Write a message">
      {to === undefined && (
        <RecipientsField
          label="To"
          value={draft.to}
          onInput={to => change({ to })}
          you={who.value?.name ?? ''}
          error={wrong.value.to}
          isFirst={draft.to === ''}
        />
      )}
      {isAnswer && (
        <p class="answering">
          <Icon name="reply" size={15} />
          <span>
            {draft.answersFor === undefined ? 'Answer to' : `Answer for ${draft.answersFor} to`}{' '}
            <Line max={80}>{answers ?? 'a message'}</Line>
          </span>
          <Button
            look="plain"
            icon="close"
            iconOnly
            onClick={() => change({ replyTo: undefined, answersFor: undefined, ...(draft.answersFor && { to: '' }) })}
          >
            Do not send as an answer
          </Button>
        </p>
      )}
      <Field
        label={isAnswer ? 'Answer' : 'Text'}
        bare={to !== undefined}
        rows={to === undefined ? 6 : 2}
        value={draft.body}
        placeholder={isAnswer ? 'Answer' : 'Message'}
        onInput={body => change({ body })}
        error={wrong.value.body}
        {...(inputRef && { inputRef })}
        onKeyDown={event => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event)
        }}
      />
      {isMore.value && (
        <div class="compose-more">
          <Field
            label="Send at"
            value={draft.at}
            placeholder="now"
            onInput={at => change({ at })}
            hint={whenInWords(draft.at, clock) ?? 'in 10m, tomorrow 9:00, friday 14:30'}
            error={wrong.value.at}
          />
          <Field
            label="Expires after"
            value={draft.expires}
            placeholder="never"
            onInput={expires => change({ expires })}
            hint="30m, 2h, 7d: if it is still unread then, it expires"
            error={wrong.value.expires}
          />
        </div>
      )}
      <div class="compose-actions">
        <Select
          label="Intent"
          bare
          value={draft.intent}
          onInput={intent => change({ intent: intent as Draft['intent'] })}
          options={isAnswer ? answerIntents : intents}
        />
        <Button
          look="plain"
          icon="clock"
          iconOnly
          title="Schedule and expiry"
          onClick={() => (isMore.value = !isMore.value)}
        >
          Schedule and expiry
        </Button>
        <span class="hint grow compose-note">
          {bytes > maxBytes * 0.9
            ? `${bytesInWords(bytes)} of ${bytesInWords(maxBytes)}`
            : draftsLast()
              ? 'Ctrl+Enter to send'
              : 'This browser cannot store the draft: it is lost when the page is closed.'}
        </span>
        <Button look="main" icon={draft.at.trim() === '' ? 'send' : 'clock'} type="submit">
          {draft.at.trim() === '' ? 'Send' : 'Send later'}
        </Button>
      </div>
    </form>
  )
}

/** Returns the exact time that a typed one stands for; undefined if it is empty or incomplete. */
function whenInWords(typed: string, clock: { now: number; timeZone: string }): string | undefined {
  if (typed.trim() === '') return undefined
  try {
    return momentInWords(readMoment(typed, clock).at, clock.timeZone, clock.now)
  } catch {
    return undefined
  }
}
