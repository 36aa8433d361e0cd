import { describe, expect, it } from 'vitest';
import { temporaryFiles } from '../test-files';
import { readTexts } from './texts';

const write = temporaryFiles();

describe('readTexts', () => {
  it.each([
    ['squad.json', '{"data":[{"title":"t","paragraphs":[{"context":"c","qas":[{"id":"1","question":"q"}]}]}]}', { text: 'q', pair: 'c' }],
    ['pairs.jsonl', '{"question":"q","context":"c"}\n', { text: 'q', pair: 'c' }],
    ['plain.jsonl', '{"text":"t"}\n', { text: 't' }],
    ['list.json', '[{"sentence":"s","label":1}]', { text: 's' }],
    ['sst2.tsv', 'sentence\tlabel\nwell done\t1\n', { text: 'well done' }],
    ['pairs.csv', 'sentence1,sentence2,score\n"a, b",c,3\n', { text: 'a, b', pair: 'c' }],
  ])('reads %s', async (name, content, want) => {
    expect((await readTexts(await write(name, content))).examples).toEqual([want]);
  });
  it('takes the columns it is told', async () => {
    const path = await write('other.csv', 'a,b\nx,y\n');
    expect((await readTexts(path, { textColumn: 'b', pairColumn: 'a' })).examples).toEqual([{ text: 'y', pair: 'x' }]);
    await expect(readTexts(path)).rejects.toMatchObject({ code: 'E_DATASET', message: expect.stringContaining('"a", "b"') });
    await expect(readTexts(path, { textColumn: 'c' })).rejects.toMatchObject({
      code: 'E_DATASET',
      message: expect.stringContaining('"c"'),
    });
  });
  it('names a bad record, or counts it out (D1, D6)', async () => {
    const path = await write('bad.jsonl', '{"text":"a"}\n{"text":5}\n{"text":"b"}\n');
    await expect(readTexts(path)).rejects.toMatchObject({ code: 'E_DATASET', message: expect.stringContaining('line 2') });
    expect(await readTexts(path, { onError: 'skip' })).toMatchObject({ examples: [{ text: 'a' }, { text: 'b' }], skipped: 1 });
    const cut = await write('cut.jsonl', '{"text":"a"}\n{"text":"b\n{"text":"c"}\n');
    expect(await readTexts(cut, { onError: 'skip' })).toMatchObject({ examples: [{ text: 'a' }, { text: 'c' }], skipped: 1 });
    await expect(readTexts(await write('empty.jsonl', ''))).rejects.toMatchObject({ code: 'E_DATASET' });
    await expect(readTexts(await write('none.json', '{"data":[]}'))).rejects.toMatchObject({ code: 'E_DATASET' });
  });
});
