import { elementCount } from '@neural-engine/core';
import { quote } from './errors';

/**
 * Where in a model something is, in words for a message: `node "a" (If): attribute "then_branch": initializer "W"`.
 * The words are put together only when a message needs them, since a large model has millions of places and no error.
 */
export class Place {
  /** The model as a whole, which goes without saying. */
  static readonly MODEL = new Place(undefined, '');

  private constructor(
    private readonly outer: Place | undefined,
    private readonly what: string | (() => string),
    private readonly name?: string,
  ) {}

  /** A place inside this one: `attribute "axis"`, or without a name what it is. */
  at(what: string | (() => string), name?: string): Place {
    return new Place(this === Place.MODEL ? undefined : this, what, name);
  }

  /** This place with the name that was read later. */
  named(name: string): Place {
    return new Place(this.outer, this.what, name);
  }

  toString(): string {
    const what = typeof this.what === 'string' ? this.what : this.what();
    const own = this.name === undefined ? what : `${what} ${quote(this.name)}`;
    return this.outer === undefined ? own : `${this.outer}: ${own}`;
  }
}

/** Number of elements of `dims`. @throws {EngineError} E_SHAPE, E_LIMIT as `elementCount` of core. */
export function countElements(dims: readonly number[], place: Place): number {
  let count = 1;
  for (const dim of dims) count *= dim;
  const isPlain = dims.length <= 8 && Number.isSafeInteger(count) && dims.every((dim) => dim > 0);
  return isPlain ? count : elementCount(dims, String(place));
}

/** `what "name"`, or only what it is where it has no name. */
export const named = (place: Place, name: string): Place => (name === '' ? place : place.named(name));
