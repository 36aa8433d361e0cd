import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './workspace';

/** What only tests and their helpers read. */
const OF_TESTS = ['NE_ISA_CHILD', 'NE_NATIVE_TESTS', 'NE_SHARED', 'NE_TEST_SEED', 'NE_ULP_STEP'];

it('every environment variable that the product reads is in the table of them, and no other', () => {
  const read = new Set<string>();
  for (const group of ['packages', 'apps/cli', 'rust-kernels/crates'])
    for (const name of readdirSync(join(root, group), { recursive: true, encoding: 'utf8' }))
      if (/(^|\/)src\/.*\.(ts|rs)$/.test(name) && !/node_modules|\.test\.ts$|__fixtures__/.test(name))
        for (const [, variable] of readFileSync(join(root, group, name), 'utf8').matchAll(/(?:env\[|env::var(?:_os)?\()['"](NE_\w+)/g))
          read.add(variable!);
  const table = [...readFileSync(join(root, 'apps/docs/environment.md'), 'utf8').matchAll(/^\| `(NE_\w+)`/gm)].map(([, name]) => name!);
  expect([...read].filter((name) => !OF_TESTS.includes(name)).sort()).toEqual(table.sort());
});
