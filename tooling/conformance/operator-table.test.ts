import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { allSchemas, genericOperators } from './engine';
import { operatorTable } from './operator-table';
import { readPassList } from './pass-list';

const FILE = fileURLToPath(new URL('../../apps/docs/operators.md', import.meta.url));

describe('the page of supported operators', () => {
  it('is what the code says', () => {
    const page = operatorTable(readPassList().length);
    if (process.env['NE_CONFORMANCE_UPDATE']) writeFileSync(FILE, page);
    expect(readFileSync(FILE, 'utf8'), 'out of date: run "node tooling/conformance/update.mjs --docs"').toBe(page);
  });

  it('describes every operator that has a row-major kernel', () => {
    const described = new Set(allSchemas().map(({ op }) => op));
    expect(genericOperators().filter((op) => !described.has(op))).toEqual([]);
  });

  it('leaves no ONNX operator out: each that is described can run', () => {
    const runs = new Set(genericOperators());
    expect(allSchemas().filter(({ op, kind }) => kind === 'onnx' && !runs.has(op))).toEqual([]);
  });
});
