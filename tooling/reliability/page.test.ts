import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../packaging/workspace';
import { CASES, NOT_HERE } from './cases';
import { reliabilityPage, testsById } from './page';

const FILE = join(root, 'apps/docs/reliability.md');
const tests = testsById();

describe('the page of bad inputs and events', () => {
  it('is what the tests say', () => {
    const page = reliabilityPage(tests);
    if (process.env['NE_RELIABILITY_UPDATE']) writeFileSync(FILE, page);
    expect(readFileSync(FILE, 'utf8'), 'out of date: run "NE_RELIABILITY_UPDATE=1 npx vitest run tooling/reliability"').toBe(page);
  });

  it.each(Object.keys(CASES))('%s: each id has a test that begins with it, or a reason', (group) => {
    const missing = Object.keys(CASES[group]!).filter((id) => !tests.has(id) && NOT_HERE[id] === undefined);
    expect(missing).toEqual([]);
  });

  it('lists whatever a test begins with', () => {
    const known = new Set(Object.values(CASES).flatMap((group) => Object.keys(group)));
    expect([...tests.keys()].filter((id) => !known.has(id))).toEqual([]);
  });

  it('gives a reason for nothing that is tested, nor for what it does not list', () => {
    const known = Object.values(CASES).flatMap((group) => Object.keys(group));
    expect(Object.keys(NOT_HERE).filter((id) => tests.has(id) || !known.includes(id))).toEqual([]);
  });
});
