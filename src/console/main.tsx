import { render } from 'preact'
import { App } from './app.tsx'
import { enter } from './session.ts'

render(<App />, document.getElementById('app')!)
void enter()
