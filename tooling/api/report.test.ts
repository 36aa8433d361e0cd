import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type ts from 'typescript';
import { beforeAll, expect, it } from 'vitest';
import { root } from '../packaging/workspace';
import { readLibraries, reports } from './report';
import { typesNotExported } from './types-not-exported';

let program: ts.Program;
beforeAll(() => {
  program = readLibraries();
});

it('the exports of every package are those written down in its api.txt', () => {
  for (const [file, text] of reports(program)) {
    const written = existsSync(file) ? readFileSync(file, 'utf8') : '';
    expect(written, `${relative(root, file)} is out of date: run "npx --yes pnpm@10.34.9 run api" and look at what changed`).toBe(text);
  }
}, 120_000);

it('whoever installs the engine alone can name every type that its functions and classes take and give', () => {
  expect(typesNotExported(program, 'engine')).toEqual([]);
  // The same question where the answer is known: the text pipelines run what core calls a tensor.
  expect(typesNotExported(program, 'text')).toContain('Tensor, which RunModel names');
});
