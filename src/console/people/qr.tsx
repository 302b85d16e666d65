import { useMemo } from 'preact/hooks'
import { qrPath } from './qr-path.ts'

/** A QR code of `text`, dark on light in both themes, as scanners require. Draws nothing if no code can hold the text. */
export function Qr({ text, label }: { text: string; label: string }) {
  const code = useMemo(() => qrPath(text), [text])
  if (!code) return null
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${code.size} ${code.size}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <path fill="#fff" d={`M0 0h${code.size}v${code.size}h-${code.size}z`} />
      <path fill="#000" d={code.path} />
    </svg>
  )
}
