import { describe, expect, it } from 'vitest';
import { temporaryFiles } from '../test-files';
import { parseSquad, readSquad } from './squad';

const file = temporaryFiles();
const context = 'The 😀 bridge was built in 1871.';
const question = (change: Record<string, unknown> = {}) => ({
  id: 'q1',
  question: 'When?',
  answers: [{ text: '1871', answer_start: 26 }],
  ...change,
});
const squad = (...qas: unknown[]) => ({ version: '1.1', data: [{ title: 'Bridge', paragraphs: [{ context, qas }] }] });

describe('SQuAD files', () => {
  it('are read, with positions of code points turned into UTF-16 units', async () => {
    const path = await file('good.json', JSON.stringify(squad(question())));
    const { examples, skipped } = await readSquad(path);
    expect(examples).toEqual([{ id: 'q1', title: 'Bridge', question: 'When?', context, answers: [{ text: '1871', start: 27 }] }]);
    expect(context.slice(27, 31)).toBe('1871');
    expect(skipped).toBe(0);
  });

  it('may count UTF-16 units too', () => {
    expect(parseSquad(squad(question({ answers: [{ text: '1871', answer_start: 27 }] }))).examples[0]!.answers[0]!.start).toBe(27);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'an answer elsewhere',
      squad(question({ answers: [{ text: '1871', answer_start: 3 }] })),
      /data\[0\]\.paragraphs\[0\]\.qas\[0\]\.answers\[0\].*not at 3/,
    ],
    ['an answer beyond the text', squad(question({ answers: [{ text: '1871', answer_start: 400 }] })), /only 32 characters/],
    ['a negative start', squad(question({ answers: [{ text: '1871', answer_start: -1 }] })), /answer_start is -1/],
    ['a start that is text', squad(question({ answers: [{ text: '1871', answer_start: '26' }] })), /answer_start is 26/],
    ['no answers', squad(question({ answers: [] })), /has no answer/],
    ['an impossible question of version 2', squad(question({ answers: [], is_impossible: true })), /SQuAD 2\.0/],
    ['one id twice', squad(question(), question()), /qas\[1\].*"q1" came before/],
    ['an empty question', squad(question({ question: ' ' })), /question: empty/],
    ['an id that is a number', squad(question({ id: 7 })), /id: expected a string/],
    ['no data', {}, /data: missing/],
    ['data of another kind', { data: {} }, /data: expected a list/],
    ['a paragraph without context', { data: [{ paragraphs: [{ qas: [] }] }] }, /context: missing/],
    ['nothing', { data: [] }, /holds no record/],
    ['a list', [], /expected an object/],
  ])('with %s are refused with the place', (_name, value, message) => {
    expect(() => parseSquad(value)).toThrow(expect.objectContaining({ code: 'E_DATASET', message: expect.stringMatching(message) }));
  });

  it('with one bad record lose that one only where it is asked for', () => {
    const value = squad(question(), question({ id: 'q2', answers: [{ text: 'x', answer_start: 0 }] }), question({ id: 'q3' }));
    expect(() => parseSquad(value)).toThrow(/qas\[1\]/);
    const { examples, skipped, reasons } = parseSquad(value, 'file', { onError: 'skip' });
    expect(examples.map(({ id }) => id)).toEqual(['q1', 'q3']);
    expect(skipped).toBe(1);
    expect(reasons).toEqual([expect.stringContaining('qas[1]')]);
    expect(() => parseSquad(squad(question({ id: 1 })), 'file', { onError: 'skip' })).toThrow(/all 1 records are bad/);
  });

  it('lose paragraphs and articles that are bad as one record each', () => {
    const { data } = squad(question());
    const bad = [7, { paragraphs: 7 }, { paragraphs: [{ qas: [] }, { context: 'c' }, ...data[0]!.paragraphs] }];
    const { examples, skipped, reasons } = parseSquad({ data: bad }, 'file', { onError: 'skip' });
    expect(examples.map(({ id }) => id)).toEqual(['q1']);
    expect(skipped).toBe(4);
    expect(reasons[3]).toBe('file: data[2].paragraphs[1].qas: missing');
  });

  it('without answers are good for calibration', () => {
    const { examples } = parseSquad(squad({ id: 'q1', question: 'When?' }), 'file', { requireAnswers: false });
    expect(examples[0]!.answers).toEqual([]);
  });

  it.each([
    ['absent', undefined, 'E_NOT_FOUND'],
    ['empty', '', 'E_DATASET'],
    ['truncated', JSON.stringify(squad(question())).slice(0, -9), 'E_DATASET'],
    ['too deep', `${'['.repeat(50_000)}`, 'E_LIMIT'],
    ['no UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), 'E_DATASET'],
    ['with a byte-order mark', `\ufeff${JSON.stringify(squad(question()))}`, 'read'],
  ])('that are %s give the error that is meant', async (name, content, code) => {
    const path = content === undefined ? '/nowhere/squad.json' : await file(`${name}.json`, content);
    const found = await readSquad(path).then(
      () => 'read',
      (error: { code: string }) => error.code,
    );
    expect(found).toBe(code);
  });

  it('are refused before they are read when they are too large', async () => {
    const path = await file('large.json', new Uint8Array(65 * 2 ** 20));
    await expect(readSquad(path)).rejects.toMatchObject({ code: 'E_LIMIT' });
  });

  it('are files, not folders', async () => {
    await expect(readSquad('/')).rejects.toMatchObject({ code: 'E_IO' });
  });
});
