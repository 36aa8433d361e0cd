import { EngineError } from '@neural-engine/core';

/** A candidate answer: tokens `first` to `last` of one window, and the sum of its logits. */
export interface TokenSpan {
  readonly first: number;
  readonly last: number;
  readonly logit: number;
}

/** The best spans of one window, and the log of Σ exp(logit) over all its admissible spans. */
export interface WindowSpans {
  readonly best: readonly TokenSpan[];
  readonly logSum: number;
}

/**
 * The `count` best spans inside tokens `[from, to)`: start ≤ end, at most `maxTokens` tokens. All admissible spans are looked at,
 * not only those between the best starts and the best ends.
 *
 * @throws {EngineError} E_MODEL a logit is NaN, or none is finite.
 */
export function bestSpans(
  start: ArrayLike<number>,
  end: ArrayLike<number>,
  range: { from: number; to: number },
  maxTokens: number,
  count: number,
): WindowSpans {
  const best: TokenSpan[] = [];
  let worst = Number.NEGATIVE_INFINITY;
  for (let first = range.from; first < range.to; first++) {
    const stop = Math.min(first + maxTokens, range.to);
    for (let last = first; last < stop; last++) {
      const logit = start[first]! + end[last]!;
      if (Number.isNaN(logit)) throw new EngineError('E_MODEL', 'text', 'the model gave a logit that is not a number');
      if (best.length === count && logit <= worst) continue;
      let at = best.length;
      while (at > 0 && best[at - 1]!.logit < logit) at--;
      best.splice(at, 0, { first, last, logit });
      if (best.length > count) best.pop();
      if (best.length === count) worst = best[count - 1]!.logit;
    }
  }
  if (best.length === 0) return { best, logSum: Number.NEGATIVE_INFINITY };
  const peak = best[0]!.logit;
  if (!Number.isFinite(peak)) throw new EngineError('E_MODEL', 'text', `the model gave a best span with logit ${peak}`);
  let sum = 0;
  for (let first = range.from; first < range.to; first++) {
    const stop = Math.min(first + maxTokens, range.to);
    for (let last = first; last < stop; last++) sum += Math.exp(start[first]! + end[last]! - peak);
  }
  return { best, logSum: peak + Math.log(sum) };
}

/** log(exp(a) + exp(b)) without overflow. */
export function logAdd(a: number, b: number): number {
  const larger = Math.max(a, b);
  return larger === Number.NEGATIVE_INFINITY ? larger : larger + Math.log1p(Math.exp(Math.min(a, b) - larger));
}
