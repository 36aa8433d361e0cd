import { describe, expect, it } from 'vitest';
import { accuracy, f1Score, macroF1, matthewsCorrelation, pearsonCorrelation, spearmanCorrelation } from './classification';

// Two true positives, one false positive, one false negative, two true negatives.
const predictions = [1, 1, 1, 0, 0, 0];
const labels = [1, 1, 0, 1, 0, 0];

describe('class metrics', () => {
  it('are the hand-computed ones', () => {
    expect(accuracy(predictions, labels)).toBeCloseTo(4 / 6, 12);
    expect(f1Score(predictions, labels)).toBeCloseTo(2 / 3, 12);
    expect(f1Score([1, 1, 1, 1], [1, 0, 0, 1])).toBeCloseTo(2 / 3, 12);
    // (2·2 − 1·1) / √(3·3·3·3)
    expect(matthewsCorrelation(predictions, labels)).toBeCloseTo(1 / 3, 12);
  });

  it('cover several classes', () => {
    const three = { predictions: [0, 1, 2, 2, 1, 0], labels: [0, 1, 2, 1, 1, 2] };
    // F1: class 0 2/3, class 1 4/5, class 2 1/2.
    expect(macroF1(three.predictions, three.labels)).toBeCloseTo((2 / 3 + 4 / 5 + 1 / 2) / 3, 12);
    // c = 4, s = 6, Σ p·t = 2·1 + 2·3 + 2·2 = 12: (24 − 12) / √((36 − 12)(36 − 14)).
    expect(matthewsCorrelation(three.predictions, three.labels)).toBeCloseTo(12 / Math.sqrt(24 * 22), 12);
  });

  it('are zero where nothing varies', () => {
    expect(matthewsCorrelation([1, 1], [0, 1])).toBe(0);
    expect(f1Score([0, 0], [0, 0])).toBe(0);
  });
});

describe('correlations', () => {
  it('are the hand-computed ones', () => {
    // Deviations −1.5 −0.5 0.5 1.5 and −2 −1 0 3: 8 / √(5 · 14).
    expect(pearsonCorrelation([1, 2, 3, 4], [1, 2, 3, 6])).toBeCloseTo(8 / Math.sqrt(70), 12);
    expect(spearmanCorrelation([1, 2, 3, 4], [1, 2, 3, 6])).toBeCloseTo(1, 12);
    expect(spearmanCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toBeCloseTo(-1, 12);
    // Ranks 1 2.5 2.5 4 and 1 2 3 4: 4.5 / √(4.5 · 5).
    expect(spearmanCorrelation([0, 5, 5, 9], [1, 2, 3, 4])).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 12);
  });

  it('are zero beside a constant and unmoved by large offsets', () => {
    expect(pearsonCorrelation([2, 2, 2], [1, 2, 3])).toBe(0);
    expect(pearsonCorrelation([1e9 + 1, 1e9 + 2, 1e9 + 3], [1, 2, 3])).toBeCloseTo(1, 9);
  });
});

it('metrics refuse lists that do not fit together', () => {
  for (const metric of [accuracy, f1Score, macroF1, matthewsCorrelation, pearsonCorrelation, spearmanCorrelation]) {
    expect(() => metric([1], [1, 2])).toThrow(expect.objectContaining({ code: 'E_DATASET' }));
    expect(() => metric([], [])).toThrow(expect.objectContaining({ code: 'E_DATASET' }));
  }
});
