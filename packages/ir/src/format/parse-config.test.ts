import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseConfig } from './parse-config';
import { printConfig } from './print-config';

const good = `model:
  name: model
  operator:
    input_data:
      type: Input
      output:
        input_ids:0:
          dtype: s32
          shape: [-1, -1]
        w:0:
          dtype: fp32
          shape: [2, 2]
          location: [0, 16]
    /layer.0/Add:
      type: InnerProduct
      input:
        input_ids:0: {}
        w:0: {}
      output:
        y:0: {}
      attr:
        src1_perm: 1,0
        reshape_dims: '0'
        transpose_mode: 1, 0
    output_data:
      type: Output
      input:
        y:0: {}
`;

const broken: [string, string, string][] = [
  ['Y1 empty', '', 'E_IR'],
  ['Y1 only comments', '# nothing\n', 'E_IR'],
  ['Y1 two documents', `${good}---\n${good}`, 'E_IR'],
  ['Y1 tabs', 'model:\n\tname: x\n', 'E_IR'],
  ['Y1 NUL', 'model:\0', 'E_IR'],
  ['Y2 nesting', `model: ${'['.repeat(5000)}`, 'E_LIMIT'],
  ['Y3 aliases', 'a: &x [1]\nb: *x\n', 'E_IR'],
  ['Y4 merge keys', 'model:\n  <<: {name: x}\n', 'E_IR'],
  ['Y5 __proto__', 'model:\n  __proto__: {name: x}\n', 'E_IR'],
  ['Y5 constructor', 'model:\n  constructor: {name: x}\n', 'E_IR'],
  ['Y6 duplicate keys', good.replace('        w:0: {}', '        input_ids:0: {}'), 'E_IR'],
  ['Y7 tags', 'model: !!js/function "x"\n', 'E_IR'],
  ['Y8 large integers', good.replace('[0, 16]', '[0, 9007199254740993]'), 'E_IR'],
  ['Y8 octal', good.replace('[0, 16]', '[0, 0777]'), 'E_IR'],
  ['Y8 floats', good.replace('[0, 16]', '[0, 1e3]'), 'E_IR'],
  ['Y8 nan', good.replace('[0, 16]', '[0, .nan]'), 'E_IR'],
  ['Y9 unknown fields', good.replace('  name: model', '  name: model\n  size: 3'), 'E_IR'],
  [
    'Y9 a future version',
    `${good}neural_engine:\n  format_version: 99\n  weights_digest: '${'0'.repeat(64)}'\n  weights_bytes: 16\n`,
    'E_UNSUPPORTED',
  ],
  [
    'Y11 a digest that leads elsewhere',
    `${good}neural_engine:\n  format_version: 1\n  weights_digest: ../model\n  weights_bytes: 16\n`,
    'E_IR',
  ],
];

describe('parseConfig', () => {
  it('reads what the original writes, and prints the same bytes', () => {
    const config = parseConfig(good);
    expect(config.operators.map((operator) => operator.type)).toEqual(['Input', 'InnerProduct', 'Output']);
    expect(config.operators[1]!.attributes!.get('reshape_dims')).toEqual({ text: '0', quoted: true });
    expect(printConfig(config)).toBe(good);
  });
  it('accepts a byte order mark', () => {
    expect(parseConfig(`\ufeff${good}`)).toEqual(parseConfig(good));
  });
  it.each(broken)('refuses %s', (_, text, code) => {
    expect(() => parseConfig(text)).toThrow(expect.objectContaining({ code }));
    expect(({} as Record<string, unknown>)['name']).toBeUndefined();
  });
  it('Y6 names the line of a key that is there twice', () => {
    const twice = good.replace('        w:0: {}', '        input_ids:0: {}');
    expect(() => parseConfig(twice)).toThrow('conf.yaml, line 18: the key "input_ids:0" is there twice');
  });
  it('Y12 takes no longer for a key the more keys there are', { retry: 2 }, () => {
    const msPerKey = (count: number): number => {
      const inputs = Array.from({ length: count }, (_, i) => `        i${i}:0: {}\n`).join('');
      const text = good.replace('        w:0: {}\n', inputs);
      const started = performance.now();
      expect(parseConfig(text).operators[1]!.inputs).toHaveLength(count + 1);
      return (performance.now() - started) / count;
    };
    msPerKey(1000);
    // Comparing every key with every other makes it more than 3.
    expect(msPerKey(8000) / msPerKey(1000)).toBeLessThan(2.5);
  });
  it('Y12 refuses files of more words, signs or characters than any model needs', () => {
    const limits = { yamlTokens: 1000, yamlBytes: 10_000 };
    expect(parseConfig(good, limits)).toEqual(parseConfig(good));
    const refused = (text: string) => expect(() => parseConfig(text, limits)).toThrow(expect.objectContaining({ code: 'E_LIMIT' }));
    refused(`model: [${'1,'.repeat(1000)}1]`);
    refused(`model: ${'a'.repeat(10_000)}`);
  });
  it('Y12 stops at the first of very many errors', () => {
    const started = performance.now();
    expect(() => parseConfig(`model: ${'{}'.repeat(2 ** 15)}`)).toThrow('conf.yaml, line 1: ');
    expect(performance.now() - started).toBeLessThan(1000);
  });
  it('keeps odd names apart and prints them back', () => {
    const names = ['a b', 'x: y', "it's", '-', '#1', 'é', '123', 'true', ' lead', 'line\nbreak', '[x]'];
    const config = {
      name: 'm',
      operators: names.map((name) => ({ name, type: 'Relu', inputs: [name], outputs: [{ name: `${name}/y` }] })),
    };
    expect(parseConfig(printConfig(config)).operators).toEqual(config.operators);
  });

  const golden = join(process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../../shared', import.meta.url)), 'reference', 'golden');
  const found = existsSync(golden);
  if (!found) console.info('golden IR files: not tested, the shared data folder is absent');
  it.runIf(found)('reads and prints every file of three versions of the original to the byte', () => {
    let files = 0;
    for (const file of readdirSync(golden, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('conf.yaml'))) {
      const text = readFileSync(join(golden, file), 'utf8');
      expect(printConfig(parseConfig(text)), file).toBe(text);
      files++;
    }
    expect(files).toBeGreaterThan(10);
  });
});
