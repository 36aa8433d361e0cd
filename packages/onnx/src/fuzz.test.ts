import { EngineError } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { decodeModel } from './decode-model';
import { describeFailure, fuzz } from './testing/fuzz';
import { mutateTree } from './testing/mutate-tree';
import { Random } from './testing/random';
import { fuzzSeeds } from './testing/seeds';
import { parseTree, serializeTree } from './testing/wire-tree';

const seeds = fuzzSeeds(undefined);

describe('the parser under mutated files', () => {
  it('ends in a model or a typed error for 3 seconds of mutations', () => {
    const seed = Date.now() % 2 ** 31;
    const { failure, runs, outcomes } = fuzz({ seconds: 3, seed });
    expect(failure && describeFailure(failure), `seed ${seed}`).toBeUndefined();
    expect(runs).toBeGreaterThan(100);
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['ok', 'E_PARSE', 'E_MODEL']));
  });

  it('is caught when the bound on nesting is taken away', () => {
    const { failure } = fuzz({ seconds: 20, seed: 7, plant: true });
    expect(failure?.problem).toContain('Maximum call stack size exceeded');
  });

  it('makes the same inputs of the same seed', () => {
    const run = () => {
      const random = new Random(42);
      return Array.from({ length: 50 }, () => Buffer.from(mutateTree(random.pick(seeds), random, random.pick(seeds))).toString('base64'));
    };
    expect(run()).toEqual(run());
    expect(new Set(run()).size).toBeGreaterThan(40);
  });

  it('goes on from inputs that load although a group of no known field hides what the schema has another meaning for', () => {
    // Field 60 as a group that holds field 7, the graph's number, with one byte that is no graph.
    const hidden = Uint8Array.of(0x08, 8, ...[0xe3, 0x03, 0x3a, 1, 0x62, 0xe4, 0x03]);
    expect(Uint8Array.from(serializeTree(parseTree(hidden)))).toEqual(hidden);
    expect(() => parseTree(Uint8Array.of(0x3a, 1, 0x62))).toThrow(RangeError);
    // Inputs that load become seeds: the tree must have an answer for each of them.
    for (const seed of [4, 6, 10]) expect(fuzz({ seconds: 1, seed }).failure).toBeUndefined();
  });

  it('mutates from files that are all valid, but for the one that has no folder', () => {
    const outcomes = seeds.map((bytes) => {
      expect(Uint8Array.from(serializeTree(parseTree(bytes)))).toEqual(bytes);
      try {
        return decodeModel(bytes).irVersion;
      } catch (error) {
        return (error as EngineError).code;
      }
    });
    expect(outcomes.filter((outcome) => outcome !== 8)).toEqual(['E_PATH']);
  });

  it('ends in a model or a typed error for every truncation and every changed byte of small files', { timeout: 120_000 }, () => {
    const changes = [() => 0, () => 0xff, (byte: number) => byte ^ 1, (byte: number) => byte ^ 0x80];
    let runs = 0;
    const run = (bytes: Uint8Array) => {
      runs++;
      try {
        decodeModel(bytes);
      } catch (error) {
        if (!EngineError.isInstance(error) || error.code === 'E_INTERNAL') throw error;
      }
    };
    for (const bytes of seeds) {
      for (let at = 0; at < bytes.byteLength; at++) {
        run(bytes.subarray(0, at));
        for (const change of changes) {
          const changed = bytes.slice();
          changed[at] = change(changed[at]!);
          run(changed);
        }
      }
    }
    expect(runs).toBeGreaterThan(5000);
  });
});
