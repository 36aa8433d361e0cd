import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoModelDirectory, demoModelPath, demoSamplesPath } from '@neural-engine/demo-model';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../__fixtures__/run';
import { addCommands } from '../commands/index';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const guides = readdirSync(join(root, 'apps/docs/coming-from')).map((page) => join('apps/docs/coming-from', page));
const README = 'apps/cli/README.md';
const folder = mkdtempSync(join(tmpdir(), 'ne-coming-from-'));

beforeAll(() => {
  // What the README takes as given.
  for (const file of ['model.onnx', 'tokenizer.json']) cpSync(join(demoModelDirectory(), file), join(folder, file));
  writeFileSync(join(folder, 'bridge.txt'), 'The bridge at Ollin was designed by Marta Reyes and opened in 1931.');
  // As the original's repository holds it.
  cpSync(demoModelDirectory(), join(folder, 'model_and_tokenizer'), { recursive: true });
  cpSync(demoModelPath(), join(folder, 'model_and_tokenizer', 'fp32-model.onnx'));
  rmSync(join(folder, 'model_and_tokenizer', 'model.onnx'));
  mkdirSync(join(folder, 'data'));
  cpSync(demoSamplesPath(), join(folder, 'data', 'dev-v1.1.json'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Line {
  readonly command: 'ne' | 'neural_engine';
  readonly args: string[];
  readonly env: Record<string, string>;
}

/** Commands of the blocks that are marked to be run, variables in front of each. */
function linesOf(page: string): [string, Line][] {
  const blocks = [...readFileSync(join(root, page), 'utf8').matchAll(/```sh run\n([\s\S]*?)```/g)].map(([, block]) => block!);
  return blocks
    .flatMap((block) => block.trim().split('\n'))
    .map((text): [string, Line] => {
      const words = text.match(/"[^"]*"|\S+/g)!.map((word) => word.replace(/^"(.*)"$/, '$1'));
      const at = words.findIndex((word) => !/^[A-Za-z_]+=/.test(word));
      const env = Object.fromEntries(words.slice(0, at).map((word) => word.split('=', 2) as [string, string]));
      return [text, { command: words[at] as Line['command'], args: words.slice(at + 1), env }];
    });
}

describe.each([README, ...guides])('every command of %s', (page) => {
  it.each(linesOf(page))('%s', async (_, { command, args, env }) => {
    const { code, out, err } = await run(command, args, { cwd: folder, env: { NE_CACHE_DIR: join(folder, 'cache'), ...env } });
    expect(code, err).toBe(0);
    expect(out.length + err.length).toBeGreaterThan(0);
    expect(err).not.toContain('    at ');
  });
});

it.each([README, 'README.md'])('%s names every command', (page) => {
  const program = new Command();
  addCommands(program);
  const text = readFileSync(join(root, page), 'utf8');
  const missing = program.commands.map((command) => command.name()).filter((name) => !new RegExp(`\`(ne )?${name}\\b`).test(text));
  expect(missing).toEqual([]);
});
