import { v7 } from 'uuid'

/** Returns a new message id. It uses `crypto.getRandomValues`, which a page has over plain HTTP too, unlike `crypto.randomUUID`. */
export function newId(): string {
  return v7()
}
