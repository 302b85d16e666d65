import type { ComponentChildren } from 'preact'

/** The head of a page: its title (one h1 a page), a line below it, and its actions. */
export function PageHead({
  title,
  children,
  actions,
}: {
  title: ComponentChildren
  children?: ComponentChildren
  actions?: ComponentChildren
}) {
  return (
    <header class="page-head">
      <div>
        <h1>{title}</h1>
        {children && <p class="hint">{children}</p>}
      </div>
      {actions && <div class="actions">{actions}</div>}
    </header>
  )
}

/** A part of a page with a title (h2). `flush` lets a table or list reach its edges. */
export function Panel({
  title,
  children,
  actions,
  flush = false,
  class: name = '',
}: {
  title?: ComponentChildren
  children: ComponentChildren
  actions?: ComponentChildren
  flush?: boolean
  class?: string
}) {
  return (
    <section class={`panel ${flush ? 'flush' : ''} ${name}`}>
      {(title || actions) && (
        <header>
          <h2>{title}</h2>
          {actions && <div class="actions">{actions}</div>}
        </header>
      )}
      <div class="panel-body">{children}</div>
    </section>
  )
}

/** Facts by name: `<Facts of={[['Joined', <Time …/>], …]} />`. Those that are undefined, null or false are left out. */
export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of
        .filter(([, value]) => value !== undefined && value !== null && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}
