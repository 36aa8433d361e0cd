import { existsSync, readFileSync, writeFileSync } from 'node:fs';
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

  it('gives no reason for what is tested, and names no file that is not there', () => {
    for (const [id, reason] of Object.entries(NOT_HERE)) {
      expect(tests.get(id) ?? []).toEqual([]);
      if (reason.includes('/')) expect(existsSync(join(root, reason)), reason).toBe(true);
    }
  });
});
