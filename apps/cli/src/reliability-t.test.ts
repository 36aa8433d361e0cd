// The bad tokenizer files and texts T1 to T10, through the commands that read them. T10's lengths are no flags: the tokenizer itself is asked.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDirectory, demoSamples } from '@neural-engine/demo-model';
import { loadTokenizer } from '@neural-engine/text';
import { afterAll, describe, expect, it } from 'vitest';
import { inProcess } from './__fixtures__/in-process';
import { run } from './__fixtures__/run';

const folder = mkdtempSync(join(tmpdir(), 'ne-t-'));
process.env['NE_CACHE_DIR'] = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

interface TokenizerJson {
  normalizer: unknown;
  pre_tokenizer: unknown;
  added_tokens: unknown[];
  model: { [key: string]: unknown; vocab: Record<string, number> };
}
const genuine = readFileSync(join(demoModelDirectory(), 'tokenizer.json'), 'utf8');
/** The demo model's own tokenizer with something changed. */
const changed = (name: string, change: (json: TokenizerJson) => void): string => {
  const json = JSON.parse(genuine) as TokenizerJson;
  change(json);
  return file(`${name}.json`, JSON.stringify(json));
};
const [sample] = demoSamples();
const text = file('text.txt', sample!.context);
const answer = (tokenizer: string, context = text) =>
  inProcess(['answer', sample!.question, '-c', context, '--tokenizer', tokenizer, '--json']);

async function expectRefused(tokenizer: string, code: string, about: RegExp): Promise<void> {
  const started = performance.now();
  const result = await answer(tokenizer);
  expect(result.out).toBe('');
  const { error } = JSON.parse(result.err) as { error: { code: string; message: string } };
  expect(error).toMatchObject({ code, message: expect.stringMatching(about) });
  expect(result.code).toBe(code === 'E_UNSUPPORTED' ? 69 : 65);
  expect(performance.now() - started).toBeLessThan(5000);
}

describe('T1: files that are no JSON', () => {
  it('T1: truncated, or something else', async () => {
    await expectRefused(file('cut.json', genuine.slice(0, -100)), 'E_TOKENIZER', /JSON/);
    await expectRefused(file('html.json', '<!doctype html>'), 'E_TOKENIZER', /JSON/);
  });
  it('T1: 500 MB are refused before they are read, and 100,000 levels before they are parsed', async () => {
    const large = file('large.json', '{');
    truncateSync(large, 5e8);
    await expectRefused(large, 'E_LIMIT', /bytes/);
    await expectRefused(file('deep.json', '['.repeat(100_000)), 'E_LIMIT', /deep|nest/);
  });
});

describe('T2: vocabularies', () => {
  it.each<[string, (vocab: Record<string, number>) => void, string]>([
    ['with one id twice', (vocab) => (vocab['twin-of-another'] = 5), 'E_TOKENIZER'],
    ['with a negative id', (vocab) => (vocab['negative'] = -1), 'E_TOKENIZER'],
    ['with an id of 2^31', (vocab) => (vocab['large'] = 2 ** 31), 'E_TOKENIZER'],
  ])('T2: %s', (name, change, code) =>
    expectRefused(
      changed(name.replaceAll(' ', '-'), ({ model }) => change(model.vocab)),
      code,
      /id|token/,
    ),
  );
  it('T2: an empty one, and one of ten million entries', async () => {
    await expectRefused(
      changed('no-vocab', ({ model }) => (model.vocab = {})),
      'E_TOKENIZER',
      /./,
    );
    const many = file(
      'many.json',
      `{"model":{"type":"WordPiece","vocab":{${Array.from({ length: 2e6 }, (_, i) => `"${i}":${i}`).join(',')}}}}`,
    );
    truncateSync(many, 2e8); // As long as ten million would make it; how it goes on does not matter.
    await expectRefused(many, 'E_LIMIT', /bytes/);
  });
  it('T2: gaps are allowed', async () => {
    const gap = changed('gap', ({ model }) => {
      const rare = Object.keys(model.vocab).find((token) => /^\[unused\d+\]$/.test(token))!;
      delete model.vocab[rare];
    });
    expect((await answer(gap)).code).toBe(0);
  });
});

it('T3: merges belong to a kind of tokenizer that is refused by its name', () =>
  expectRefused(
    changed('merges', ({ model }) => Object.assign(model, { type: 'BPE', merges: ['absent tokens', 'x'.repeat(1000)] })),
    'E_UNSUPPORTED',
    /BPE/,
  ));

it('T4: no expression from a file is ever run', async () => {
  const expressions = ['(a+)+', '(?<=a)b', 'a'.repeat(1e6)];
  for (const [i, Regex] of expressions.entries()) {
    await expectRefused(
      changed(`normalizer-${i}`, (json) => (json.normalizer = { type: 'Replace', pattern: { Regex }, content: '' })),
      'E_UNSUPPORTED',
      /Replace/,
    );
    await expectRefused(
      changed(`split-${i}`, (json) => (json.pre_tokenizer = { type: 'Split', pattern: { Regex }, behavior: 'Isolated' })),
      'E_UNSUPPORTED',
      /Split/,
    );
  }
});

describe('T5: texts that are hard to cut', () => {
  it('T5: end in tokens or E_LIMIT, in time that grows with their length', async () => {
    const tokenizer = await loadTokenizer(demoModelDirectory());
    const kinds: Record<string, (n: number) => string> = {
      carets: (n) => '^'.repeat(n),
      'no spaces': (n) => 'a'.repeat(n),
      'combining marks': (n) => '\u0301'.repeat(n),
      'lone surrogates': (n) => '\ud800'.repeat(n),
      nulls: (n) => '\0'.repeat(n),
      'right to left': (n) => 'ש'.repeat(n),
    };
    for (const [kind, make] of Object.entries(kinds)) {
      const seconds = (n: number): number => {
        const begin = process.cpuUsage();
        expect(tokenizer.encode(make(n)).ids.length).toBeGreaterThanOrEqual(2);
        const { user, system } = process.cpuUsage(begin);
        return (user + system) / 1e6;
      };
      seconds(20_000);
      const [small, large] = [Math.min(seconds(50_000), seconds(50_001)), Math.min(seconds(400_000), seconds(400_001))];
      // Eight times the text: linear is 8, quadratic 64.
      expect(large, kind).toBeLessThan(Math.max(small, 0.01) * 24);
    }
    expect(tokenizer.encode('^'.repeat(1e6)).ids.length).toBe(1e6 + 2);
    expect(() => tokenizer.encode('a'.repeat(2 ** 24 + 1))).toThrow(expect.objectContaining({ code: 'E_LIMIT' }));
  });
  it('T5: as a context, one of 10 MB without a space has no answer in it, and says so soon', async () => {
    const { code, err } = await answer(demoModelDirectory(), file('endless.txt', 'a'.repeat(1e7)));
    expect([0, 65], err).toContain(code);
    expect(err).not.toContain('E_INTERNAL');
  });
});

it('T6: bytes that are no UTF-8 become replacement characters, from a file as from stdin', async () => {
  const bytes = Buffer.concat([Buffer.from([0xff, 0x20]), Buffer.from(sample!.context), Buffer.from([0x20, 0xe2, 0x82])]);
  const broken = file('broken.txt', bytes);
  const fromFile = await answer(demoModelDirectory(), broken);
  expect(fromFile.code).toBe(0);
  const [best] = JSON.parse(fromFile.out).answers;
  expect(bytes.toString('utf8').slice(best.start, best.end)).toBe(best.answer);
  const shell = ['sh', '-c', 'file="$1"; shift; exec "$@" < "$file"', 'sh', broken];
  const piped = await run('ne', ['answer', sample!.question, '-c', '-', '--json'], { prefix: shell, stdin: 'inherit' });
  expect(JSON.parse(piped.out).answers).toEqual(JSON.parse(fromFile.out).answers);
});

describe('T7: tokens that the model has no row for', () => {
  it.each<[string, (json: TokenizerJson) => void]>([
    ['a special token behind the embedding', ({ added_tokens }) => added_tokens.push({ id: 10_000_000, content: '<far>', special: true })],
    ['a word behind the embedding', ({ model }) => (model.vocab['far'] = 10_000_000)],
    ['an empty added token', ({ added_tokens }) => added_tokens.push({ id: 500, content: '', special: true })],
    ['two added tokens alike', ({ added_tokens }) => added_tokens.push({ id: 31_000, content: '<x>' }, { id: 31_001, content: '<x>' })],
  ])('T7: %s', (name, change) => expectRefused(changed(name.replaceAll(' ', '-'), change), 'E_TOKENIZER', /./));

  it('T7: by every command that has a tokenizer and a model', async () => {
    const far = changed('far', ({ model }) => (model.vocab['far'] = 10_000_000));
    for (const args of [['eval'], ['quantize', '-o', join(folder, 'never')], ['embed', demoModelDirectory(), 'text']]) {
      const { code, out, err } = await inProcess([...args, '--tokenizer', far]);
      expect([code, out], err).toEqual([65, '']);
      expect(err).toMatch(/E_TOKENIZER.*"far" has id 10000000, but the model's embedding has \d+ rows/);
    }
  });
});

it('T8: words that JavaScript objects have are ordinary tokens', async () => {
  const names = ['__proto__', 'constructor', 'length', 'hasOwnProperty'];
  const changedText = JSON.stringify(JSON.parse(genuine)).replace('"vocab":{', '"vocab":{"__proto__":31001,"hasOwnProperty":31002,');
  const tokenizer = await loadTokenizer(file('names.json', changedText));
  expect(tokenizer.tokenToId('__proto__')).toBe(31001);
  expect(tokenizer.tokenToId('hasOwnProperty')).toBe(31002);
  expect(tokenizer.tokenToId('toString')).toBeUndefined();
  for (const name of names) expect(tokenizer.encode(name).ids.length).toBeGreaterThan(2);
  expect(({} as Record<string, unknown>)['31001']).toBeUndefined();
});

it('T9: parts that are not known are named', async () => {
  await expectRefused(
    changed('nmt', (json) => (json.normalizer = { type: 'Nmt' })),
    'E_UNSUPPORTED',
    /Nmt/,
  );
  await expectRefused(
    changed('bytes', (json) => (json.pre_tokenizer = { type: 'ByteLevel' })),
    'E_UNSUPPORTED',
    /ByteLevel/,
  );
});

it('T10: lengths that leave no place are refused, and nothing loops', async () => {
  const tokenizer = await loadTokenizer(demoModelDirectory());
  for (const maxLength of [0, -1, 1, Number.NaN])
    expect(() => tokenizer.encode('text', { maxLength })).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  for (const [maxLength, stride] of [
    [10, 10],
    [10, 7],
    [10, -1],
    [0, 0],
  ] as const)
    expect(() => tokenizer.encodeWindows('who', sample!.context, { maxLength, stride })).toThrow(
      expect.objectContaining({ code: 'E_USAGE' }),
    );
});
