import { describe, expect, it } from 'vitest';
import { backendFolder, type Case, listCases } from './cases';
import { addToPassList, readPassList } from './pass-list';
import { runCase } from './run-case';

/** Tests in one entry of the report: enough to keep it short, few enough to see where a crash happened. */
const CHUNK = 60;

const folder = backendFolder();
if (!folder) console.warn('skipped: the ONNX backend tests are not here; NE_SHARED names the folder that holds data/onnx');

const cases = folder ? listCases(folder) : [];
const chunks: { first: string; part: Case[] }[] = [];
for (let i = 0; i < cases.length; i += CHUNK) {
  const part = cases.slice(i, i + CHUNK);
  chunks.push({ first: part[0]!.name, part });
}

describe.skipIf(!folder)('the ONNX backend tests', () => {
  const listed = new Set(readPassList());
  const fresh: string[] = [];

  it.each(chunks)('pass or are refused cleanly from $first on', async ({ part }) => {
    const faults: string[] = [];
    for (const test of part) {
      const { kind, detail } = await runCase(test);
      if (kind === 'pass' && !listed.has(test.name)) fresh.push(test.name);
      if (kind === 'wrong' || kind === 'error') faults.push(`${test.name}: ${kind}: ${detail}`);
      if (kind === 'unsupported' && listed.has(test.name)) faults.push(`${test.name} passed before: ${detail}`);
    }
    expect(faults).toEqual([]);
  });

  it('are all known by name where the list says that they pass', () => {
    const names = new Set(cases.map(({ name }) => name));
    expect([...listed].filter((name) => !names.has(name))).toEqual([]);
  });

  it('pass in at least the number that has been reached', () => {
    if (process.env['NE_CONFORMANCE_UPDATE']) addToPassList(fresh);
    else if (fresh.length > 0) console.warn(`${fresh.length} more tests pass; "node tooling/conformance/update.mjs" adds them to the list`);
    expect(readPassList().length).toBeGreaterThanOrEqual(800);
  });
});

describe('the pass list', () => {
  it('is sorted and names each test once', () => {
    const list = readPassList();
    expect(list).toEqual([...new Set(list)].sort());
  });
});
