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
                This is the address of this page, since hub.json has no <code>url</code>. If others reach the hub at
                another address, set it.
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
          Shown only once: the hub cannot show a secret again, only replace it.
          {goesOnUntil &&
            ` The previous URL and secret are valid until ${new Date(goesOnUntil).toTimeString().slice(0, 5)}.`}
        </p>
      </div>
      <div class="actions">
        <Button onClick={onClose}>Done</Button>
      </div>
    </Dialog>
  )
}
