import { describe, expect, it } from 'vitest';
import { collect, temporaryFiles } from '../test-files';
import { formatOf, readRecords } from './records';

const file = temporaryFiles();
let count = 0;

async function records(extension: string, content: string | Uint8Array, options = {}) {
  const path = await file(`${count++}.${extension}`, content);
  return (await collect(readRecords(path, options))).map(({ where, values }) => [where.slice(path.length + 1), Object.fromEntries(values)]);
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'read',
    (error: { code: string; message: string }) => `${error.code} ${error.message}`,
  );

describe('tables', () => {
  it.each(['\n', '\r\n', '\r'])('end their lines with %j', async (end) => {
    const expected = [
      ['line 2', { a: '1', b: '2' }],
      ['line 4', { a: '3', b: '' }],
    ];
    expect(await records('tsv', ['a\tb', '1\t2', '', '3\t'].join(end))).toEqual(expected);
    expect(await records('csv', ['a,b', '1,2', '', '3,', ''].join(end))).toEqual(expected);
  });

  it('keep quotes as they are in tsv and take them off in csv', async () => {
    expect(await records('tsv', 'a\tb\n"1\tx"y\n')).toEqual([['line 2', { a: '"1', b: 'x"y' }]]);
    expect(await records('csv', 'a,b\n"1, ""2""\r\n3","x"\n4,5"6\n')).toEqual([
      ['line 2', { a: '1, "2"\r\n3', b: 'x' }],
      ['line 4', { a: '4', b: '5"6' }],
    ]);
  });

  it('may begin with a byte-order mark and may have no header', async () => {
    expect(await records('csv', '\ufeffa\n1\n')).toEqual([['line 2', { a: '1' }]]);
    expect(await records('tsv', 'x\t1\ny\t2\n', { header: false })).toEqual([
      ['line 1', { 0: 'x', 1: '1' }],
      ['line 2', { 0: 'y', 1: '2' }],
    ]);
  });

  it('are the same however the file is cut into pieces', async () => {
    // Line ends, quotes and two-byte characters fall on the borders of the pieces that are read.
    const rows = Array.from({ length: 9000 }, (_, i) => ['é'.repeat(i % 13), `q"${i}\r\n,`]);
    const csv = `a,b\r\n${rows.map(([a, b]) => `${a},"${b!.replaceAll('"', '""')}"`).join('\r\n')}`;
    const found = await records('csv', csv);
    expect(found.map(([, values]) => values)).toEqual(rows.map(([a, b]) => ({ a, b })));
    expect(found.at(-1)![0]).toBe(`line ${2 + 2 * 8999}`);
    const tsv = await records('tsv', `a\tb\r\n${rows.map(([a], i) => `${a}\t${i}`).join('\r\n')}`);
    expect(tsv.length).toBe(9000);
    expect(tsv.at(-1)).toEqual(['line 9001', { a: 'é'.repeat(8999 % 13), b: '8999' }]);
  });

  it.each([
    ['a quote that is never closed', 'csv', 'a,b\n1,2\n"3,4\n5,6\n', /E_DATASET .*line 3: a quote is opened/],
    ['text behind a quote', 'csv', 'a\n"1"2\n', /E_DATASET .*line 2: text follows/],
    ['too few fields', 'tsv', 'a\tb\n1\t2\n3\n', /E_DATASET .*line 3: 1 fields, expected 2/],
    ['too many fields', 'csv', 'a\n1,2\n', /E_DATASET .*line 2: 2 fields, expected 1/],
    ['one column twice', 'csv', 'a,a\n1,2\n', /E_DATASET .*line 1: the column "a"/],
    ['no UTF-8', 'tsv', Uint8Array.of(0x61, 0x0a, 0xe9, 0x0a), /E_DATASET .*UTF-8/],
    ['a cut character at the end', 'csv', Uint8Array.of(0x61, 0x0a, 0xc3), /E_DATASET .*UTF-8/],
    ['an endless line', 'tsv', 'x'.repeat(5 * 2 ** 20), /E_LIMIT .*line 1/],
    ['an endless quote', 'csv', `a\n"${'\n'.repeat(5 * 2 ** 20)}`, /E_LIMIT .*line 2/],
  ])('with %s are refused with the line', async (_name, extension, content, message) => {
    expect(await codeOf(records(extension, content))).toMatch(message);
  });
});

describe('json', () => {
  it('is a list, an object with a list, or one object a line', async () => {
    const expected = [{ a: 1 }, { a: 'x' }];
    for (const [extension, content] of [
      ['json', '[{"a":1},{"a":"x"}]'],
      ['json', '{"data":[{"a":1},{"a":"x"}]}'],
      ['jsonl', '{"a":1}\n\n{"a":"x"}'],
    ] as const) {
      expect((await records(extension, content)).map(([, values]) => values)).toEqual(expected);
    }
  });

  it.each([
    ['a broken line', 'jsonl', '{"a":1}\n{"a":\n', /E_DATASET .*line 2: not valid JSON/],
    ['a line that is no object', 'jsonl', '{"a":1}\n[2]\n', /E_DATASET .*line 2: expected an object/],
    ['an item that is no object', 'json', '[{"a":1}, 2]', /E_DATASET .*\[1\]: expected an object/],
    ['no list', 'json', '{"a":1}', /E_DATASET .*expected a list/],
    ['null', 'json', 'null', /E_DATASET .*expected a list/],
    ['a line nested too deeply', 'jsonl', `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`, /E_LIMIT .*line 1/],
  ])('with %s is refused with the place', async (_name, extension, content, message) => {
    expect(await codeOf(records(extension, content))).toMatch(message);
  });
});

it('the format is told by the extension or must be named', () => {
  expect(['a.tsv', 'b.CSV', 'c.jsonl', 'd.ndjson', 'e.json'].map(formatOf)).toEqual(['tsv', 'csv', 'jsonl', 'jsonl', 'json']);
  expect(() => formatOf('file.parquet')).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
});
