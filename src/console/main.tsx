import { render } from 'preact'
import { App } from './app.tsx'
import './notify.ts'
import { enter } from './session.ts'
import './theme.ts'
import { startWorker } from './worker-start.ts'

render(<App />, document.getElementById('app')!)
void enter()
// Loaded after everything that the reader waits for.
addEventListener('load', () => setTimeout(startWorker, 3000))
