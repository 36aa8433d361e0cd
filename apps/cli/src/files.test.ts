import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelPath } from '@neural-engine/demo-model';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { inProcess } from './__fixtures__/in-process';
import { namesIn, readBytes, statOf } from './files';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ne-files-'));
  writeFileSync(join(folder, 'taken'), '');
  mkdirSync(join(folder, 'folder'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const executor = ['run-executor', '--mode=performance', `--input_model=${demoModelPath()}`];
const pipeline = ['run-pipeline', '--mode=latency', '--precision=fp32', `--model=${demoModelPath()}`];

it.each([
  [
    'a switch of passes that is not there',
    ['compile', '--pattern-switch', 'no.yaml', '-o', 'out'],
    66,
    '"no.yaml" cannot be read (ENOENT)',
  ],
  ['the same of ne transpose', ['transpose', '--pattern-switch', 'no.yaml', '-o', 'out'], 66, '"no.yaml" cannot be read (ENOENT)'],
  ['a folder where a recipe is expected', ['quantize', '--recipe', 'folder', '-o', 'out'], 77, '"folder" cannot be read (EISDIR)'],
  ['a log in a folder that is not there', [...executor, '--log_file=no/x.log'], 73, 'no/x.log: it cannot be created (ENOENT)'],
  ['a folder of logs that is a file', [...pipeline, '--output=taken'], 73, 'taken: it cannot be created (EEXIST)'],
])('names %s, before any work', async (_, args, code, message) => {
  const result = await inProcess(args, { cwd: folder });
  expect(result).toMatchObject({ code, out: '', err: expect.stringContaining(message) });
  expect(result.err).not.toContain('bug');
  expect(readdirSync(folder)).toEqual(['folder', 'taken']);
});

it.each([
  [['diff', '--rtol', 'abc'], '--rtol abc'],
  [['diff', '--atol', '-1'], '--atol -1'],
  [['run-executor', '--max_eval_samples=abc'], '--max_eval_samples abc'],
])('refuses %j', async (args, text) => {
  const result = await inProcess(args, { cwd: folder });
  expect(result).toMatchObject({ code: 2, out: '', err: expect.stringContaining(text) });
});

it('names the latencies that cannot be kept, before any work', async () => {
  writeFileSync(join(folder, 'all_latency'), '');
  const result = await inProcess(executor, { cwd: folder });
  expect(result).toMatchObject({ code: 73, out: '', err: expect.stringContaining('all_latency: it cannot be created') });
});

it('tells what is not there from what cannot be read', async () => {
  await expect(readBytes(join(folder, 'no'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  await expect(readBytes(join(folder, 'taken', 'x'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  await expect(readBytes(folder)).rejects.toMatchObject({ code: 'E_PATH' });
  expect(namesIn(folder).sort()).toEqual(['folder', 'taken']);
  expect(() => namesIn(join(folder, 'no'))).toThrow(expect.objectContaining({ code: 'E_NOT_FOUND' }));
  expect(() => namesIn(join(folder, 'taken'))).toThrow(expect.objectContaining({ code: 'E_NOT_FOUND' }));
  expect(statOf(join(folder, 'no'))).toBeUndefined();
  expect(() => statOf(join(folder, 'x'.repeat(300)))).toThrow(expect.objectContaining({ code: 'E_IO' }));
});

it.each([
  ['samples', ['quantize', '-o', 'out', '-c']],
  ['data', ['run-executor', `--input_model=${demoModelPath()}`, '--data_dir']],
])('names %s that cannot be looked at', async (_, args) => {
  const result = await inProcess([...args, 'x'.repeat(300)], { cwd: folder });
  expect(result).toMatchObject({ code: 74, err: expect.stringContaining('cannot be read (ENAMETOOLONG)') });
});
