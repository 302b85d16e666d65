import { v7 } from 'uuid'

/**
 * A fresh message id. Random bytes are asked for by `crypto.getRandomValues`, which a page has over plain HTTP too, unlike
 * `crypto.randomUUID`.
 */
export function newId(): string {
  return v7()
}
