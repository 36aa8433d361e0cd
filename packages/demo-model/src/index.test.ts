import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { demoCalibration, demoModelDirectory, demoModelPath, demoSamples } from './index';

describe('the demo model', () => {
  it('ships the model, its tokenizer, its licence and its notice', () => {
    for (const file of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt', 'LICENSE', 'NOTICE']) {
      expect(existsSync(join(demoModelDirectory(), file)), file).toBe(true);
    }
    expect(statSync(demoModelPath()).size).toBeGreaterThan(40_000_000);
  });

  it('lists every file that it ships in the manifest', () => {
    const manifest = JSON.parse(readFileSync(join(demoModelDirectory(), '../package.json'), 'utf8')) as { files: string[] };
    expect(manifest.files).toEqual(expect.arrayContaining(['dist', 'files', 'samples']));
  });
});

describe('the samples', () => {
  const sets = { samples: demoSamples(), calibration: demoCalibration() };

  it('are 24 questions about 8 texts and 64 about 16 others', () => {
    expect(sets.samples.length).toBe(24);
    expect(new Set(sets.samples.map(({ context }) => context)).size).toBe(8);
    expect(sets.calibration.length).toBe(64);
    expect(new Set([...sets.samples, ...sets.calibration].map(({ context }) => context)).size).toBe(24);
  });

  it('have ids of their own and answers that stand where they say', () => {
    const all = [...sets.samples, ...sets.calibration];
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const { context, answers } of all) {
      expect(answers.length).toBeGreaterThan(0);
      for (const { text, start } of answers) expect(context.slice(start, start + text.length)).toBe(text);
    }
  });
});
