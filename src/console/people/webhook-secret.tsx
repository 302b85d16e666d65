import { Button } from '../ui/button.tsx'
import { CopyLine } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'

/** Dialog with the URL and secret of a webhook. They are not shown again, so only its button closes it. */
export function WebhookSecret({
  title,
  url,
  path,
  signingSecret,
  goesOnUntil,
  hint,
  onClose,
}: {
  title: string
  url?: string | undefined
  path?: string | undefined
  signingSecret?: string | undefined
  /** After a rotation: time until the previous ones expire. */
  goesOnUntil?: string | null | undefined
  hint: string
  onClose: () => void
}) {
  const address = url ?? (path === undefined ? undefined : location.origin + path)
  return (
    <Dialog title={title} wide keep onClose={onClose}>
      <div class="stack">
        <p>{hint}</p>
        {address !== undefined && (
          <div class="field">
            <span class="label">URL</span>
            <CopyLine text={address} label="the URL" />
            {url === undefined && (
              <p class="hint">
                The hub does not know the address at which others reach it; this is the address of this page. Set{' '}
                <code>url</code> in hub.json.
              </p>
            )}
          </div>
        )}
        {signingSecret !== undefined && (
          <div class="field">
            <span class="label">Signing secret</span>
            <CopyLine text={signingSecret} label="the signing secret" />
          </div>
        )}
        <p class="hint">
          They are shown only now: the hub cannot show them again, only make new ones.
          {goesOnUntil && ` The previous ones are valid until ${new Date(goesOnUntil).toTimeString().slice(0, 5)}.`}
        </p>
      </div>
      <div class="actions">
        <Button onClick={onClose}>Done</Button>
      </div>
    </Dialog>
  )
}
