import manifest from '../../package.json' with { type: 'json' }

/** The version of this program, hub and machine's side alike. */
export const version: string = manifest.version
