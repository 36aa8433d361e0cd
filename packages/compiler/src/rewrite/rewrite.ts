import type { Value } from '@neural-engine/ir';
import { type AnyRewrite, applyRewrite } from './driver';
import type { Pass, PassContext } from './pass';
import type { Always, AnyPattern, Sometimes } from './pattern';
import type { Declined, Replacement } from './replacement';

/** The captured values by name; those of only some alternatives may be missing. */
export type Captures<P> = { readonly [K in Always<P>]: Value } & { readonly [K in Sometimes<P>]?: Value };

export interface RewriteSpec<P extends AnyPattern> {
  /** Verb and object: `fuse-gelu`. */
  readonly name: string;
  /** One sentence for `--explain` and the docs. */
  readonly summary: string;
  readonly pattern: P;
  /**
   * Builds what the match becomes, declines a near miss with a reason, or returns undefined for what is none of its business.
   * Must not edit the graph in place.
   */
  replace(captures: Captures<P>, graph: Replacement, context: PassContext): Value | Declined | undefined;
}

/** A pass from a pattern and its replacement; the driver walks, matches, edits and reports. */
export function rewrite<P extends AnyPattern>(spec: RewriteSpec<P>): Pass {
  const erased = spec as unknown as AnyRewrite;
  return { name: spec.name, summary: spec.summary, run: (graph, context) => applyRewrite(erased, graph, context) };
}
