import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../packaging/workspace';
import { reports } from './report';

it('the exports of every package are those written down in its api.txt', () => {
  for (const [file, text] of reports()) {
    const written = existsSync(file) ? readFileSync(file, 'utf8') : '';
    expect(written, `${relative(root, file)} is out of date: run "npx --yes pnpm@10.34.9 run api" and look at what changed`).toBe(text);
  }
}, 120_000);
