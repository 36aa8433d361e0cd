import { describe, expect, it } from 'vitest';
import { answerF1, exactMatch, normalizeAnswer, squadScore } from './squad';

describe('normalisation', () => {
  it.each([
    ['The  Quick, brown Fox!', 'quick brown fox'],
    ['a an the', ''],
    ['Anthem of thea', 'anthem of thea'],
    ["Levi's Stadium", 'levis stadium'],
    ['U.S.A.', 'usa'],
    ['the-end', 'theend'],
    ['24–10', '24–10'],
    ['éa théa a', 'éa théa'],
    ['the\u00a0cat\u2003sat', 'cat sat'],
    ['$1,000 (about)', '1000 about'],
    ['A_the the_', 'athe'],
    ['İa a', 'i\u0307'],
    ['x\x1cthe y', 'x y'],
  ])('of %j is %j, as the official script gives', (text, normalized) => {
    expect(normalizeAnswer(text)).toBe(normalized);
  });
});

describe('one answer', () => {
  it.each([
    ['Denver Broncos', 'the Denver Broncos', 1, 1],
    ['Broncos', 'Denver Broncos', 0, 2 / 3],
    ['the big cat sat', 'a cat', 0, 2 * (1 / 3) * 1 * (3 / 4)],
    ['cat cat cat', 'cat', 0, 0.5],
    ['dog', 'cat', 0, 0],
    ['', 'cat', 0, 0],
    ['the', 'a', 1, 0],
  ])('%j against %j scores exact %d and F1 %d', (prediction, truth, exact, f1) => {
    expect(exactMatch(prediction, truth)).toBe(exact);
    expect(answerF1(prediction, truth)).toBeCloseTo(f1, 12);
  });
});

describe('a set of predictions', () => {
  const questions = [
    { id: '1', answers: [{ text: 'Denver Broncos' }, { text: 'Broncos' }] },
    { id: '2', answers: [{ text: 'in 1871' }] },
    { id: '3', answers: [{ text: 'red and white' }] },
    { id: '__proto__', answers: [{ text: 'x' }] },
  ];

  it('scores the mean of the best over all accepted answers, in percent', () => {
    const predictions = { '1': 'the Broncos', '2': '1871', '3': 'blue', ['__proto__']: 'x' };
    const score = squadScore(questions, predictions);
    expect(score).toMatchObject({ exactMatch: 50, total: 4, missing: 0 });
    expect(score.f1).toBeCloseTo((100 * (1 + 2 / 3 + 0 + 1)) / 4, 10);
    expect([...score.perQuestion.exactMatch]).toEqual([1, 0, 0, 1]);
  });

  it('counts questions without a prediction as wrong', () => {
    expect(squadScore(questions, { '1': 'Broncos' })).toMatchObject({ exactMatch: 25, f1: 25, total: 4, missing: 3 });
  });

  it('cannot be scored without questions or answers', () => {
    expect(() => squadScore([], {})).toThrow(expect.objectContaining({ code: 'E_DATASET' }));
    expect(() => squadScore([{ id: '1', answers: [] }], {})).toThrow(expect.objectContaining({ code: 'E_DATASET' }));
  });
});
