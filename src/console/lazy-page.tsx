import { signal } from '@preact/signals'
import type { ComponentType } from 'preact'
import { useEffect } from 'preact/hooks'
import type { Place } from './router.ts'
import { Button } from './ui/button.tsx'
import { Loading } from './ui/states.tsx'

/** The address of a page: `#/members/sean?tab=keys` is `parts: ['sean'], query: { tab: 'keys' }`. Untrusted. */
export type PageProps = Pick<Place, 'parts' | 'query'>

/**
 * Returns a page whose file is loaded when it is first drawn. If a hub of another version no longer has the file, the document is reloaded.
 */
export function lazyPage(load: () => Promise<{ default: ComponentType<PageProps> }>): ComponentType<PageProps> {
  const loaded = signal<ComponentType<PageProps> | 'failed' | undefined>(undefined)
  const start = () =>
    load().then(
      module => (loaded.value = module.default),
      () => (loaded.value = 'failed'),
    )
  return props => {
    useEffect(() => {
      if (loaded.value === undefined) void start()
    }, [])
    if (loaded.value === undefined) return <Loading what="the page" />
    if (loaded.value === 'failed')
      return (
        <div class="state failed" role="alert">
          <p class="title">This page could not be loaded.</p>
          <p class="hint">The hub does not respond, or it was updated since this page was opened.</p>
          <Button onClick={() => location.reload()}>Reload</Button>
        </div>
      )
    const Current = loaded.value
    return <Current {...props} />
  }
}
