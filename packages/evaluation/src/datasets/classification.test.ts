import { describe, expect, it } from 'vitest';
import { temporaryFiles } from '../test-files';
import { type ClassificationDataOptions, readClassification } from './classification';

const file = temporaryFiles();
let count = 0;
const read = async (extension: string, content: string, options?: ClassificationDataOptions) =>
  readClassification(await file(`${count++}.${extension}`, content), options);

describe('labelled texts', () => {
  it('are read from the published files of GLUE tasks', async () => {
    expect((await read('tsv', 'sentence\tlabel\ngood . \t1\nbad\t0\n', { task: 'sst2' })).examples).toEqual([
      { text: 'good . ', label: 1 },
      { text: 'bad', label: 0 },
    ]);
    expect((await read('tsv', 'gj04\t1\t\tHe ran.\ngj04\t0\t*\tHim ran.\n', { task: 'cola' })).examples).toEqual([
      { text: 'He ran.', label: 1 },
      { text: 'Him ran.', label: 0 },
    ]);
    const mnli = await read('tsv', 'index\tsentence1\tsentence2\tgold_label\n0\ta\tb\tneutral\n1\tc\td\tentailment\n', { task: 'mnli' });
    expect(mnli.examples).toEqual([
      { text: 'a', pair: 'b', label: 1 },
      { text: 'c', pair: 'd', label: 0 },
    ]);
    const stsb = await read('tsv', 'index\tsentence1\tsentence2\tscore\n0\ta\tb\t4.25\n', { task: 'stsb' });
    expect(stsb).toMatchObject({ isRegression: true, examples: [{ text: 'a', pair: 'b', label: 4.25 }] });
  });

  it('are found by common columns in any format', async () => {
    const expected = [{ text: 'x', pair: 'y', label: 1 }];
    expect((await read('jsonl', '{"premise":"x","hypothesis":"y","label":1}')).examples).toEqual(expected);
    expect((await read('csv', 'question1,question2,is_duplicate\nx,y,1\n')).examples).toEqual(expected);
    expect((await read('json', '[{"sentence1":"x","sentence2":"y","label":1}]', { task: 'mrpc' })).examples).toEqual(expected);
  });

  it('may have columns and labels of any name', async () => {
    const options = { textColumn: 'review', labelColumn: 'stars', labels: ['bad', 'good'] };
    expect((await read('csv', 'stars,review\ngood,"Fine, really"\n0,Meh\n', options)).examples).toEqual([
      { text: 'Fine, really', label: 1 },
      { text: 'Meh', label: 0 },
    ]);
  });

  it.each<[string, string, string, ClassificationDataOptions, RegExp]>([
    ['empty', 'tsv', '', {}, /holds no record/],
    ['only a header', 'tsv', 'sentence\tlabel\n', { task: 'sst2' }, /holds no record/],
    ['without texts', 'tsv', 'x\tlabel\n1\t1\n', {}, /no column of texts; the columns are "x", "label"/],
    ['without labels', 'tsv', 'sentence\tx\n1\t1\n', {}, /no column of labels/],
    ['without the named column', 'tsv', 'sentence\tlabel\n1\t1\n', { textColumn: 'review' }, /no column "review"/],
    [
      'out of range',
      'tsv',
      'sentence\tlabel\na\t1\nb\t2\n',
      { task: 'sst2' },
      /line 3: the label "2" is not "negative", "positive" or 0 to 1/,
    ],
    ['negative', 'jsonl', '{"text":"a","label":-1}', {}, /line 1: the label "-1"/],
    ['fractional', 'jsonl', '{"text":"a","label":0.5}', {}, /line 1: the label "0.5"/],
    ['words without names', 'tsv', 'text\tlabel\na\tgood\n', {}, /name the labels/],
    ['of mixed types', 'jsonl', '{"text":"a","label":1}\n{"text":3,"label":1}', {}, /line 2: "text" is number/],
    ['missing somewhere', 'jsonl', '{"text":"a","label":1}\n{"text":"b"}', {}, /line 2: "label" is missing/],
    ['no number', 'tsv', 'sentence1\tsentence2\tscore\na\tb\tNaN\n', { task: 'stsb' }, /line 2: "score" is "NaN"/],
    ['beyond the scale', 'tsv', 'sentence1\tsentence2\tscore\na\tb\t5.5\n', { task: 'stsb' }, /line 2: the score 5.5 is not from 0 to 5/],
    ['empty as score', 'tsv', 'sentence1\tsentence2\tscore\na\tb\t\n', { task: 'stsb' }, /line 2: "score" is ""/],
  ])('%s are refused with the place', async (_name, extension, content, options, message) => {
    await expect(read(extension, content, options)).rejects.toMatchObject({ code: 'E_DATASET', message: expect.stringMatching(message) });
  });

  it('lose one bad record in ten thousand only where it is asked for, and count it', async () => {
    const content = `text\tlabel\n${Array.from({ length: 10_000 }, (_, i) => `t${i}\t${i === 7000 ? 'x' : i % 2}`).join('\n')}\n`;
    await expect(read('tsv', content)).rejects.toMatchObject({ code: 'E_DATASET', message: expect.stringContaining('line 7002') });
    const data = await read('tsv', content, { onError: 'skip' });
    expect([data.examples.length, data.skipped]).toEqual([9999, 1]);
  });

  it.each([
    ['tsv', 'text\tlabel\na\t1\nb\nc\t0\t\n d\t0\n', /line 3: 1 fields, expected 2/],
    ['csv', 'text,label\na,1\nb\n"c, ""c""",0,\n d,0\n', /line 3: 1 fields, expected 2/],
    ['jsonl', '{"text":"a","label":1}\n{"text":\n[]\n{"text":" d","label":0}\n', /line 2: not valid JSON/],
    ['json', '[{"text":"a","label":1},7,null,{"text":" d","label":0}]', /\[1\]: expected an object/],
  ])('lose malformed records of %s too', async (extension, content, message) => {
    await expect(read(extension, content)).rejects.toMatchObject({ code: 'E_DATASET', message: expect.stringMatching(message) });
    const { examples, skipped, reasons } = await read(extension, content, { onError: 'skip' });
    expect(examples).toEqual([
      { text: 'a', label: 1 },
      { text: ' d', label: 0 },
    ]);
    expect([skipped, reasons[0]]).toEqual([2, expect.stringMatching(message)]);
  });

  it('stop all the same where no next record can be found', async () => {
    await expect(read('csv', 'text,label\n"a,1\n', { onError: 'skip' })).rejects.toMatchObject({ code: 'E_DATASET' });
  });

  it('refuse a task that does not exist', async () => {
    await expect(read('tsv', 'a\tb\n', { task: 'toString' as 'sst2' })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
