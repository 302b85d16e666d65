// Replaces the `_shims` of the MCP SDK in the bundle. The SDK's own includes Ajv, a quarter of the file and a tenth of the start, to
// validate answers to forms, which this server never sends.

export { default as process } from 'node:process'

export class DefaultJsonSchemaValidator {
  getValidator(): never {
    throw new Error('This program was built without a validator for JSON Schema.')
  }
}
