import { describe, expect, it } from 'vitest';
import { bestSpans, logAdd } from './spans';

/** Pseudo-random logits, the same each time. */
function logits(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 12 - 6;
  });
}

describe('the best spans', () => {
  it('are those of a search through all of them', () => {
    for (const [seed, length, maxTokens] of [
      [1, 50, 7],
      [2, 13, 30],
      [3, 1, 1],
      [4, 97, 2],
    ] as const) {
      const start = logits(length, seed);
      const end = logits(length, seed + 100);
      const range = { from: Math.floor(length / 5), to: length };
      const all: { first: number; last: number; logit: number }[] = [];
      for (let first = range.from; first < range.to; first++) {
        for (let last = first; last < range.to && last - first < maxTokens; last++)
          all.push({ first, last, logit: start[first]! + end[last]! });
      }
      all.sort((a, b) => b.logit - a.logit);
      const { best, logSum } = bestSpans(start, end, range, maxTokens, 10);
      expect(best).toEqual(all.slice(0, 10));
      expect(logSum).toBeCloseTo(Math.log(all.reduce((sum, { logit }) => sum + Math.exp(logit), 0)), 10);
    }
  });

  it('keep the first of equal ones', () => {
    expect(bestSpans([1, 1, 1], [0, 0, 0], { from: 0, to: 3 }, 2, 2).best).toEqual([
      { first: 0, last: 0, logit: 1 },
      { first: 0, last: 1, logit: 1 },
    ]);
  });

  it('are none in an empty range', () => {
    expect(bestSpans([1], [1], { from: 0, to: 0 }, 5, 5)).toEqual({ best: [], logSum: Number.NEGATIVE_INFINITY });
  });

  it('survive logits whose exponentials overflow', () => {
    const { logSum } = bestSpans([1e30, 0], [0, 0], { from: 0, to: 2 }, 2, 1);
    expect(logSum).toBeCloseTo(1e30, -15);
  });
});

it('logAdd adds in the log domain without overflow', () => {
  expect(logAdd(Math.log(3), Math.log(4))).toBeCloseTo(Math.log(7), 12);
  expect(logAdd(1000, 1000)).toBeCloseTo(1000 + Math.LN2, 9);
  expect(logAdd(Number.NEGATIVE_INFINITY, 2)).toBe(2);
  expect(logAdd(Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY);
});
